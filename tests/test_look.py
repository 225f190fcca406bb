"""A shop of coloured squares, looked at: red ones are of one category and price, green and blue ones of others."""

import csv
import json
import re
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from endcap import artifact as artifacts
from endcap import cli
from endcap.artifact import Artifact
from endcap.config import check
from endcap.data.catalog import Catalog
from endcap.describe import Described
from endcap.features.confusion import Confusion
from endcap.features.products import Encoders, Modality
from endcap.fitting import fit
from endcap.look import divide
from endcap.look_photos import Told
from endcap.models import Traits
from endcap.training import Task, TrainConfig
from tests.browser import SIZES, Open, axe, browser, cut, faults, open_page
from tests.worlds import circle

__all__ = ["axe", "browser", "open_page"]

COLOURS = {"Red": (200, 30, 30), "Green": (30, 160, 30), "Blue": (30, 30, 200)}
PRICES = {"Red": 10.0, "Green": 20.0, "Blue": 40.0}
N = 90
QUICK = ["size=32", "width=8", "dim=16", "train.epochs=12", "train.batch=16", "train.learning_rate=0.01"]
FEWER = ["--set", "features.autoencoder.epochs=15"]
SETTINGS = [*FEWER, *(each for one in QUICK for each in ("--set", f"features.photos.{one}"))]

Run = Callable[..., tuple[int, str, str]]


def square(path: Path, colour: str, seed: int) -> None:
    """A square of the colour somewhere on light grey."""
    left, top = np.random.default_rng(seed).integers(0, 16, 2)
    pixels = np.full((48, 48, 3), 180 + seed % 70, np.uint8)  # no two photos are the same
    pixels[top : top + 28, left : left + 28] = COLOURS[colour]
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def colour_of(item: int) -> str:
    return list(COLOURS)[item % 3]


def write_rows(path: Path, rows: Sequence[Sequence[object]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("item_id", "title", "category", "price", "image"), *rows])
    return path


def price_of(item: int) -> float:
    return PRICES[colour_of(item)] * (1 + item % 7 / 50) * (50 if item == 30 else 1)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """products.csv and photos/: item 30 costs 50 times too much; photos that cannot be used are of items 80 to 84."""
    folder = tmp_path_factory.mktemp("shop")
    rows = []
    for item in range(N):
        name = f"p{item}.png"
        rows.append([f"p{item}", f"{colour_of(item)} & square {item}", colour_of(item), price_of(item), name])
        square(folder / "photos" / name, colour_of(item), item)
    rows[80][4] = "lost.png"
    (folder / "photos" / "p80.png").unlink()
    (folder / "photos" / "p81.png").write_text("no photo")
    Image.new("RGB", (8, 8)).save(folder / "photos" / "p82.png")
    (folder / "photos" / "p83.png").write_bytes((folder / "photos" / "p84.png").read_bytes())
    square(folder / "photos" / "whose.png", "Red", 0)
    rows.append(["p0", "again", "Red", 11, ""])
    write_rows(folder / "products.csv", rows)
    return folder


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        cli.main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err
    return int(ended.value.code or 0), out, err


@pytest.fixture
def endcap(capsys: pytest.CaptureFixture[str], cache: Path) -> Run:
    return lambda *arguments: run(capsys, *arguments)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("ENDCAP_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="module")
def looked(shop: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that `endcap look` left."""
    out = tmp_path_factory.mktemp("looked") / "look"
    arguments = ["look", shop / "products.csv", "--images", shop / "photos", *SETTINGS, "--out", out]
    with pytest.raises(SystemExit) as ended:
        cli.main([str(argument) for argument in arguments])
    assert not ended.value.code
    return out


@pytest.fixture(scope="module")
def figures(looked: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((looked / "look.json").read_text(encoding="utf-8"))
    return found


def test_photos_are_counted(figures: dict[str, Any]) -> None:
    counts = figures["photos"]
    expected = {"items": N, "photos": N - 3, "with_photos": N - 3, "without_photos": 3, "missing": 1, "broken": 1,
                "too_small": 1, "unknown": 1, "shared": 1, "failed": 0, "frames": 0}  # fmt: skip
    assert counts == expected


def test_every_problem_is_written(looked: Path, figures: dict[str, Any]) -> None:
    with (looked / "problems.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert figures["problems"] == len(rows) == 6
    assert [row["problem"] for row in rows if row["row"]] == ["item_id was there before at another price; row left out"]
    assert {row["item_id"] for row in rows if row["column"] == "image"} == {"p80", "p81", "p82", "p83", ""}
    assert next(row for row in rows if row["value"] == "whose.png")["problem"] == "belongs to no product"


def test_the_colour_of_photos_held_out_is_told(figures: dict[str, Any]) -> None:
    assert figures["parts"]["test"] == N // 10
    assert figures["parts"]["learned"] == N - N // 10
    (column,) = figures["seen"]["columns"]
    assert column["name"] == "category"
    assert column["accuracy"] >= 0.9 > column["most_frequent"]
    assert sum(each["photos"] for each in column["classes"]) == column["photos"] <= N // 10
    assert len(figures["seen"]["epochs"]) == 12


def test_the_absurd_price_is_odd(figures: dict[str, Any]) -> None:
    (odd,) = [each for each in figures["oddest"] if each["item_id"] == "p30"]
    assert odd["column"] == "price"
    assert odd["reason"].startswith("price 520: ")


def test_every_column_has_its_use(figures: dict[str, Any]) -> None:
    columns = figures["columns"]
    assert columns["category"]["photos"] == "3 classes learned"
    assert "price" in columns["price"]["tabular"]
    assert columns["brand"]["tabular"] == "not used: empty"
    assert {each["modality"] for each in figures["reconstruction"]} == {"tabular", "text", "photos"}


def test_the_page_opens_offline(looked: Path) -> None:
    page = (looked / "look.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert all(source.startswith("data:image/jpeg;base64,") for source in re.findall(r'src="([^"]*)', page))
    assert len(re.findall("<img", page)) > 30  # neighbours, heat, odd rows
    assert not re.findall(r'(?:href|url\()="?https?:', page)
    assert "&amp; square" in page  # titles are escaped
    assert "& square" not in page


def test_nearest_are_of_its_colour(looked: Path, endcap: Run) -> None:
    code, out, _ = endcap("similar", looked, "p3", "-k", 5, "--json")
    similar = json.loads(out)["similar"]
    assert code == 0
    assert [each["category"] for each in similar] == ["Red"] * 5
    assert "p3" not in {each["item_id"] for each in similar}
    assert similar == sorted(similar, key=lambda each: -each["likeness"])


def test_a_new_product_is_known_by_its_photo_alone(looked: Path, endcap: Run, tmp_path: Path) -> None:
    square(tmp_path / "new" / "n1.png", "Blue", 1000)
    square(tmp_path / "new" / "n2.png", "Green", 1001)
    items = write_rows(tmp_path / "new.csv", [["n1", "", "", "", "n1.png"], ["n2", "", "", "", "n2.png"]])
    for item, colour in {"n1": "Blue", "n2": "Green"}.items():
        code, out, _ = endcap(
            "similar", looked, item, "--items", items, "--images", tmp_path / "new", "-k", 5, "--json"
        )
        assert code == 0
        assert [each["category"] for each in json.loads(out)["similar"]] == [colour] * 5


def test_an_unknown_item_is_one_clear_error(looked: Path, endcap: Run) -> None:
    code, _, err = endcap("similar", looked, "p333")
    assert code == 2
    assert "found no item 'p333'" in err
    assert "p33" in err
    assert len(err.strip().splitlines()) == 1


def test_a_catalogue_without_photos(shop: Path, endcap: Run, tmp_path: Path) -> None:
    rows = [[f"p{item}", f"{colour_of(item)} {item}", colour_of(item), price_of(item), ""] for item in range(60)]
    items = write_rows(tmp_path / "items.csv", rows)
    code, out, err = endcap("look", items, *FEWER, "--out", tmp_path / "out", "--json")
    assert code == 0, err
    found = json.loads(out)
    assert (found["photos"], found["seen"], found["uses"]) == (None, None, ["tabular", "text"])
    assert "p30" in {each["item_id"] for each in found["oddest"]}
    page = (tmp_path / "out" / "look.html").read_text(encoding="utf-8")
    assert "<img" not in page
    assert "square" not in page
    assert "Blue 2" in page
    code, out, _ = endcap("similar", tmp_path / "out", "p3", "-k", 2)
    assert code == 0
    assert "Red" in out


def test_photos_sorted_into_folders_are_a_catalogue(endcap: Run, tmp_path: Path) -> None:
    """With parts of their own: the network is asked about test photos, but not about one that it learned from."""
    for item in range(75):
        part = "test" if item % 5 == 0 else "train"
        square(tmp_path / "photos" / part / colour_of(item // 5) / f"{item}.png", colour_of(item // 5), item)
    red = [tmp_path / "photos" / part / "Red" / name for part, name in (("test", "0.png"), ("train", "1.png"))]
    red[0].write_bytes(red[1].read_bytes())
    with zipfile.ZipFile(tmp_path / "sorted.zip", "w") as archive:
        for path in sorted((tmp_path / "photos").rglob("*.png")):
            archive.write(path, path.relative_to(tmp_path / "photos"))
    quick = [*SETTINGS, "--set", "features.photos.train.epochs=2", "--set", "features.autoencoder.epochs=2"]
    code, out, err = endcap("look", tmp_path / "sorted.zip", *quick, "--out", tmp_path / "out", "--json")
    assert code == 0, err
    found = json.loads(out)
    assert found["parts"]["how"] == "the catalogue's own parts: train 60, test 15"
    assert (found["seen"]["columns"][0]["photos"], found["seen"]["repeated"]) == (14, 1)
    assert found["columns"]["part"] == {}


def test_photos_without_a_class_are_shown_but_not_learned_from(shop: Path, endcap: Run, tmp_path: Path) -> None:
    rows = [[f"p{item}", f"{colour_of(item)} {item}", "Square", price_of(item), f"p{item}.png"] for item in range(40)]
    items = write_rows(tmp_path / "items.csv", rows)
    code, out, err = endcap("look", items, "--images", shop / "photos", *FEWER, "--out", tmp_path / "out", "--json")
    assert code == 0, err
    found = json.loads(out)
    assert (found["photos"]["with_photos"], found["seen"]) == (40, None)
    assert any("not learned from: found no column with two classes" in note for note in found["notes"])
    code, _, err = endcap("look", items, "--images", shop / "photos", "--label", "category", "--out", tmp_path / "out")
    assert code == 2
    assert "column category is no label" in err


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([["a", "Tea", "Drinks", 1, ""]], "found nothing that differs"),
        ([[f"i{n}", "", "", "", ""] for n in range(30)], "found nothing that differs"),
        ([["", "Tea", "Drinks", 1, ""]], "found no row with an item_id"),
        ([], "has no records"),
    ],
)
def test_where_there_is_nothing_to_learn(rows: list[list[object]], said: str, endcap: Run, tmp_path: Path) -> None:
    code, _, err = endcap("look", write_rows(tmp_path / "items.csv", rows), "--out", tmp_path / "out")
    assert (code, said in err, len(err.strip().splitlines())) == (2, True, 1), err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--set", "train.epochs=3"], "expected features."),
        (["--set", "features.photos.train.epoch=3"], "unknown key"),
        (["--set", "features.use=['photos']"], "found no photos"),
        (["--label", "colour"], "found no photos"),
        (["--map", "title"], "expected --map name=value"),
    ],
)
def test_wrong_options_are_one_line(more: list[str], said: str, shop: Path, endcap: Run, tmp_path: Path) -> None:
    items = write_rows(tmp_path / "items.csv", [[f"p{n}", f"Tea {n}", "Drinks", n, ""] for n in range(20)])
    code, _, err = endcap("look", items, *more, "--out", tmp_path / "out")
    assert (code, said in err, len(err.strip().splitlines())) == (2, True, 1), err


def test_other_things_are_not_overwritten(shop: Path, endcap: Run, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    code, _, err = endcap("look", shop / "products.csv", "--out", tmp_path)
    assert code == 2
    assert "found other things in" in err
    assert [each.name for each in tmp_path.iterdir()] == ["mine.txt"]


def test_similar_wants_something_of_ours(endcap: Run, tmp_path: Path) -> None:
    code, _, err = endcap("similar", tmp_path, "p1")
    assert code == 2
    assert "is neither an artifact nor a look" in err


def artifact(folder: Path, *use: Modality) -> Path:
    """A shop of milk and tea in turn; `use` is what the encoders were told."""
    split = circle()
    ids = split.train.vocabulary.ids
    items = pa.table({"item_id": ids, "category": [["Milk", "Tea"][n % 2] for n in range(len(ids))]})
    catalog = Catalog.from_table(items, ids)
    document = {"data": {"events": "x.csv"}, "model": {"name": "popular"}, "features": {"use": list(use)}}
    config = check(document, "test")
    described = None
    if use:
        encoders = Encoders.fit(config.features, catalog, None, np.arange(1, len(ids) + 1))
        described = Described(encoders, encoders.describe(catalog, None))
    fitted = fit(config.model, split.train, None, TrainConfig(epochs=1), Task())
    made = Artifact(config, Traits.of(split.train), split.train.vocabulary, catalog, fitted.model, described=described)
    artifacts.save(made, folder)
    return folder


def test_an_artifact_knows_its_nearest(endcap: Run, tmp_path: Path) -> None:
    out = artifact(tmp_path / "a", "tabular")
    first = Catalog.load(out / "items.parquet").item_ids[0]
    code, said, _ = endcap("similar", out, first, "-k", 2, "--json")
    assert code == 0
    assert [each["category"] for each in json.loads(said)["similar"]] == ["Milk", "Milk"]


def test_an_artifact_without_features_says_so(endcap: Run, tmp_path: Path) -> None:
    code, _, err = endcap("similar", artifact(tmp_path / "a"), "x")
    assert code == 2
    assert "was trained without [features]" in err


def test_a_config_names_the_catalogue_and_how_it_is_read(shop: Path, endcap: Run, tmp_path: Path) -> None:
    write_rows(tmp_path / "items.csv", [[f"p{n}", f"{colour_of(n)} {n}", colour_of(n), n, ""] for n in range(30)])
    (tmp_path / "shop.toml").write_text(
        f"[data]\nevents = 'none.csv'\nitems = '{tmp_path / 'items.csv'}'\ncolumns = {{ 'items.brand' = 'category' }}\n"
        "[model]\nname = 'gru'\n[features]\nuse = ['text']\n",
        encoding="utf-8",
    )
    code, out, err = endcap("look", "--config", tmp_path / "shop.toml", *FEWER, "--out", tmp_path / "out", "--json")
    assert code == 0, err
    found = json.loads(out)
    assert (found["uses"], found["read_as"]["brand"]) == (["text"], "category")
    assert endcap("look", "--out", tmp_path / "other")[0] == 2


def test_a_tenth_is_held_out_and_nothing_is_twice() -> None:
    ids = [f"i{n}" for n in range(101)]
    parts = divide(Catalog.from_table(None, ids))
    assert len(parts.test) == 10
    assert sorted([*parts.known, *parts.test]) == list(range(1, 102))
    assert len(divide(Catalog.from_table(None, ids[:9])).test) == 0


def test_parts_of_the_catalogue_count() -> None:
    table = pa.table({"item_id": ["a", "b", "c", "d"], "part": ["test", "train", None, "valid"]})
    parts = divide(Catalog.from_table(table, ["a", "b", "c", "d"]))
    assert (parts.test.tolist(), parts.known.tolist()) == ([1], [2, 3, 4])


def test_mistakes_by_hand() -> None:
    """Of four cats three are told right, of two dogs none; there is no bird."""
    told = Told("animal", ("cat", "dog", "bird"), Confusion(np.array([[3, 1, 0], [2, 0, 0], [0, 0, 0]])), 4 / 6)
    assert told.photos == 6
    assert told.per_class == [("cat", 4, 0.75), ("dog", 2, 0.0)]
    assert told.confused(5) == [("dog", "cat", 2, 2), ("cat", "dog", 1, 4)]
    assert told.confused(1) == [("dog", "cat", 2, 2)]


@pytest.mark.parametrize(("width", "scheme"), [("desk", "light"), ("phone", "dark")])
def test_the_page_can_be_read_by_everybody(looked: Path, open_page: Open, axe: str, width: str, scheme: str) -> None:
    shown = open_page(width, scheme)
    shown.goto((looked / "look.html").as_uri())
    assert shown.evaluate("document.documentElement.scrollWidth") <= SIZES[width]["width"]
    assert cut(shown) == []
    assert faults(shown, axe) == []
