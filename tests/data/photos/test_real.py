"""The photos of real shops, with the counts that the data's own descriptions state."""

from pathlib import Path

import pytest

from endcap.data.backend import local
from endcap.data.catalog import Catalog
from endcap.data.photos.album import album
from endcap.data.photos.files import opened
from endcap.data.photos.find import find
from endcap.data.schema import validate_items
from endcap.data.sources import read_items
from tests.data.sources.test_real import folder

BACKEND = local(threads=1)


def catalogue(path: Path) -> tuple[Catalog, dict[str, str]]:
    items = read_items(BACKEND, path)
    table = validate_items(BACKEND, items.frame).items.toArrow()
    aliases = {} if items.aliases is None else {row["alias"]: row["item_id"] for row in items.aliases.collect()}
    return Catalog.from_table(table, table["item_id"].to_pylist()), aliases


@pytest.mark.parametrize(
    ("name", "table", "images", "n_items"),
    [
        ("hm_sample", "items_in_transactions.csv", "images_128px.zip", 17_033),
        ("fashion_product_small", "styles.csv", "images_80px.zip", 14_999),
    ],
)
def test_every_item_has_its_one_photo(name: str, table: str, images: str, n_items: int) -> None:
    catalog, aliases = catalogue(folder(name) / table)
    with opened(folder(name) / images) as files:
        found = find(catalog, files.files, aliases)
    assert (len(found.matches), len({match.item for match in found.matches})) == (n_items, n_items)
    assert (found.missing, found.unknown) == ((), ())
    assert all(Path(match.name).stem == catalog.item_ids[match.item - 1] for match in found.matches)


def test_the_luma_shop(tmp_path: Path) -> None:
    catalog, aliases = catalogue(folder("magento_luma"))
    made = album(catalog, folder("magento_luma") / "images_128px.zip", size=32, cache=tmp_path, aliases=aliases)
    assert (made.counts.with_photos, made.counts.photos, made.counts.unknown) == (147, 420, 305)
    assert (made.problems, made.counts.missing) == ((), 0)
