from pathlib import Path

from endcap.data.aliases import resolve
from endcap.data.backend import local
from endcap.data.clean import CleanConfig
from endcap.data.dataset import DataConfig, prepare
from endcap.data.mark import SplitConfig
from tests.data.frames import check_in


def test_events_that_name_a_variant_count_for_its_product() -> None:
    backend, validated = check_in("user_id item_id", ("u", "H-S"), ("u", "hat"), ("v", "tea"), ("v", "H-L"))
    named = backend.session.createDataFrame([("H-S", "hat"), ("H-L", "hat")], "alias string, item_id string")
    resolved = resolve(backend, validated, named)
    rows = resolved.events.select("row", "item_id").orderBy("row").collect()
    assert [tuple(row) for row in rows] == [(1, "hat"), (2, "hat"), (3, "tea"), (4, "hat")]
    assert resolved.events.columns == validated.events.columns
    assert resolved.notes[-1] == "2 events name a variant or an SKU and count for its product"
    assert resolve(backend, validated, None) is validated


def test_a_prepared_log_has_products_alone(tmp_path: Path) -> None:
    (tmp_path / "products.csv").write_text(
        "Handle,Title,Variant SKU,Variant Price\nhat,Hat,H-S,1\nhat,,H-L,2\ntea,Tea,T,3\nrum,Rum,R,3\n"
    )
    items = ["H-S", "T", "R", "H-L"]
    lines = [
        f"u{user},{items[(user + n) % 4]},{1_600_000_000 + 1000 * n + user}" for user in range(12) for n in range(4)
    ]
    (tmp_path / "log.csv").write_text("\n".join(["user_id,item_id,time", *lines]) + "\n")
    data = DataConfig(events=str(tmp_path / "log.csv"), items=str(tmp_path / "products.csv"))
    dataset = prepare(local(threads=1), data, CleanConfig(), SplitConfig())
    assert set(dataset.table["item_id"].to_pylist()) == {"hat", "tea", "rum"}
    assert "48 events name a variant or an SKU and count for its product" in dataset.facts["notes"]
    assert dataset.facts["columns"]["items.price"] == "Variant Price"
