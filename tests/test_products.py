"""The path of a product from its row and photo to a recommendation, as a shop walks it."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from endcap import artifact as artifacts
from endcap import cli
from endcap.data.errors import InputError
from endcap.engine.engine import Engine
from endcap.engine.requests import Answer, Ask, Step
from endcap.features.products import Products
from endcap.models import Network

COLOURS = {"red": (200, 30, 30), "blue": (30, 30, 200)}
PER_COLOUR = 30
QUICK = """
[features.photos]
size = 32
width = 8
dim = 16
[features.photos.train]
epochs = 1
[features.autoencoder]
encoder = [32]
decoder = [32]
code = 16
epochs = 5
[train]
epochs = 6
batch_tokens = 256
learning_rate = 0.003
"""


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """Runs a command that must end with 2; gives its one line."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        cli.main([str(argument) for argument in arguments])
    assert ended.value.code == 2
    return capsys.readouterr().err


def write_products(folder: Path, products: dict[str, str], name: str = "items.csv") -> None:
    """Rows and photos of `item_id: colour`."""
    photos = folder / "images"
    photos.mkdir(exist_ok=True)
    lines = ["item_id,title,category,price,colour"]
    for number, (item_id, colour) in enumerate(products.items()):
        lines.append(f"{item_id},A {colour} thing,{colour} things,{10 + number % 7},{colour}")
        noise = np.random.default_rng(number).integers(-20, 20, (48, 36, 3))
        pixels = (np.array(COLOURS[colour]) + noise).clip(0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(photos / f"{item_id}.png")
    (folder / name).write_text("\n".join(lines), encoding="utf-8")


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """Who looks at red things stays with red things; one red and one blue product have no event."""
    folder = tmp_path / "shop"
    folder.mkdir()
    products = {f"{colour}-{n}": colour for colour in COLOURS for n in range(PER_COLOUR)}
    write_products(folder, products)
    (folder / "images" / "torn.png").write_bytes(b"no photo")
    random = np.random.default_rng(0)
    rows = ["user_id,item_id,kind,time"]
    for user in range(120):
        colour = list(COLOURS)[user % 2]
        start = 1_700_000_000 + 86_400 * user
        for step, n in enumerate(random.choice(PER_COLOUR - 1, 8, replace=False)):
            rows.append(f"u{user},{colour}-{n},view,{start + 60 * step}")
    (folder / "events.csv").write_text("\n".join(rows), encoding="utf-8")
    (tmp_path / "shop.toml").write_text(
        f"""
[data]
events = {str(folder / "events.csv")!r}
items = {str(folder / "items.csv")!r}
images = {str(folder / "images")!r}
[model]
name = "gru"
dim = 16
hidden = 16
dropout = 0.2
[features]
use = ["tabular", "text", "photos"]
{QUICK}""",
        encoding="utf-8",
    )
    return folder


def test_a_product_is_recommended_the_day_its_row_and_photo_arrive(shop: Path, endcap: Callable[..., str]) -> None:
    out = shop.parent / "runs" / "shop"
    endcap("train", shop.parent / "shop.toml", out)
    artifact = artifacts.load(out)
    assert isinstance(artifact.model, Network)
    assert artifact.traits.n_items == 2 * PER_COLOUR
    assert artifact.traits.known == 2 * (PER_COLOUR - 1)
    assert not list(out.rglob("*.pkl"))
    assert not list(out.rglob("*.joblib"))

    past = ["--history", "red-1", "--history", "red-2", "--history", "red-3", "--json"]
    shown = [line["id"] for line in json.loads(endcap("recommend", out, *past, "-k", 60))["items"]]
    assert shown.index("red-29") < shown.index("blue-29")  # neither was ever bought

    fresh = shop.parent / "fresh"
    fresh.mkdir()
    write_products(fresh, {"new-red": "red", "new-blue": "blue", "red-1": "blue"}, "new.csv")
    arguments = ["--items", fresh / "new.csv", "--images", fresh / "images"]
    found = json.loads(endcap("recommend", out, *past, *arguments, "-k", 62))["items"]
    shown = [line["id"] for line in found]
    assert shown.index("new-red") < shown.index("new-blue")
    assert next(line for line in found if line["id"] == "new-red")["title"] == "A red thing"
    assert "red-1" not in shown  # it is in the history, under its old row

    near = json.loads(endcap("similar", out, "new-red", *arguments, "-k", 5, "--json"))["similar"]
    assert {line["category"] for line in near} == {"red things"}
    assert json.loads(endcap("evaluate", out, "--json"))["questions"] > 5

    # The same while the shop is open, also of a product of which there is nothing but a photo.
    engine = Engine.open(out, f"sqlite:///{shop.parent / 'shop.db'}")
    photos = {f"new-{colour}": (fresh / "images" / f"new-{colour}.png").read_bytes() for colour in COLOURS}
    engine.put_items([{"item_id": item_id} for item_id in photos], photos)
    history = tuple(Step(f"red-{n}") for n in (1, 2, 3))
    (answer,) = engine.recommend([Ask(history=history, k=62)])
    assert isinstance(answer, Answer)
    shown = [item.item_id for item in answer.items]
    assert shown.index("new-red") < shown.index("new-blue")
    near = engine.similar("new-red", 5).items  # all red things are one for people, and so are all blue ones
    assert near[0].shown["category"] == "red things"
    with pytest.raises(InputError, match="no usable photo"):
        engine.put_items([{"item_id": "broken"}], {"broken": b"no photo"})
    assert "broken" not in engine.live.shelf.index
    engine.close()


def test_a_comparison_tells_all_networks_and_reports_columns_and_photos(shop: Path, endcap: Callable[..., str]) -> None:
    out = shop.parent / "runs" / "compared"
    short = ["--set", "train.epochs=1", "--set", "features.autoencoder.epochs=1", "--set", "features.photos.size=32"]
    short += ["--set", "features.photos.width=8", "--set", "features.photos.train.epochs=1"]
    endcap("compare", shop / "events.csv", "--items", shop / "items.csv", "--images", shop / "images",
           "--models", "popular,gru", "--refit", *short, "--out", out)  # fmt: skip
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "60 of 60 products have one" in page
    assert "1 broken" in page or "of no product" in page
    assert "all items of the catalogue" in page
    assert '<img class="tile" src="data:image/jpeg;base64,' in page
    assert '<span class="tile">' not in page  # each of the examples has its photo
    results = json.loads((out / "results.json").read_text(encoding="utf-8"))
    assert {(result["model"], result["protocol"]) for result in results} == {
        (model, protocol) for model in ("popular", "gru") for protocol in ("strict", "refit")
    }
    assert {result["items"] for result in results} == {60}
    assert artifacts.load(out / "models" / "gru").described is not None


def test_a_folder_is_a_shop(shop: Path, endcap: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("endcap.demo.MODELS", ("popular", "transitions"))
    monkeypatch.chdir(shop.parent)
    shutil.rmtree(shop / "images")
    said = endcap("demo", "--shop", shop, "--out", "seen", "--no-serve")
    assert "report.html" in said.splitlines()[-1]
    assert not Path("seen/shop.db").exists()
    assert "tabular: price" in Path("seen/report.html").read_text(encoding="utf-8")
    (shop / "events.csv").unlink()
    endcap("demo", "--shop", shop, "--out", "made-up", "--no-serve")
    assert "THE VISITS ARE SIMULATED" in Path("made-up/report.html").read_text(encoding="utf-8")


def test_what_cannot_be_told_is_said(
    shop: Path, endcap: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    toml, out = shop.parent / "shop.toml", shop.parent / "runs" / "shop"
    assert "no catalogue" in refused(capsys, "compare", shop / "events.csv", "--use", "text", "--out", out)
    wrong = ["--set", 'features.leave_out=["pricee"]']
    assert "pricee" in refused(capsys, "train", toml, out, *wrong)
    assert "unknown key features.uze" in refused(capsys, "train", toml, out, "--set", "features.uze=1")
    nowhere = refused(capsys, "train", toml, out, "--images", shop / "nowhere")
    assert "does not exist" in nowhere
    endcap("train", toml, out, "--set", "features.use=[]", "--set", "train.epochs=1")
    message = refused(capsys, "recommend", out, "--history", "red-1", "--items", shop / "items.csv")
    assert "by their number alone" in message


def test_products_in_another_order_and_more_of_them(shop: Path, endcap: Callable[..., str], tmp_path: Path) -> None:
    out = shop.parent / "runs" / "shop"
    endcap("train", shop.parent / "shop.toml", out, "--use", "tabular,text", "--set", "train.epochs=1")
    described = artifacts.load(out).described
    assert described is not None
    products = described.products
    ids = products.item_ids
    turned = products.of([*ids[::-1], "nobody"])
    assert np.array_equal(turned.code.vectors[1:-1], products.code.vectors[1:][::-1])
    assert not turned.code.present[-1]
    assert not turned.content.vectors[-1].any()
    both = products.of(ids[:20]).joined(products.of(ids[20:]))
    both.save(tmp_path / "both.safetensors")
    again = Products.load(tmp_path / "both.safetensors")
    for found, expected in (
        (again.content.vectors, products.content.vectors),
        (again.content.attributes.offsets, products.content.attributes.offsets),
        (again.content.attributes.ids, products.content.attributes.ids),
        (again.code.vectors, products.code.vectors),
    ):
        assert np.array_equal(found, expected)
    (tmp_path / "both.safetensors").write_bytes(b"torn")
    with pytest.raises(InputError, match="missing or damaged"):
        Products.load(tmp_path / "both.safetensors")
