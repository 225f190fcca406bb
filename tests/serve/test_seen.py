"""What looks like a product, and what the network looked at."""

import io
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from starlette.testclient import TestClient

from endcap import artifact as artifacts
from endcap.engine.engine import Engine
from endcap.engine.version import Version
from endcap.serve.app import create_app
from endcap.serve.config import ServeConfig
from endcap.serve.errors import Refused
from endcap.serve.storefront import seen
from endcap.serve.storefront.seen import FEWEST, HeatMaps
from tests.engine.artifacts import COLOURS, N, products, trained
from tests.features.shapes import photo

BLANK = "i15"  # the one without a photo


def pictured(folder: Path) -> Path:
    """Photos of the circle's products: discs and stripes by turns, in the colour of their quarter."""
    folder.mkdir()
    for n in range(N):
        colour = {"white": "red"}.get(COLOURS[n * 4 // N], COLOURS[n * 4 // N])
        pixels = photo("disc" if n % 2 else "stripes", colour, left=n % 8, top=n % 5)
        if f"i{n}" != BLANK:
            Image.fromarray(pixels).resize((64, 64)).save(folder / f"i{n}.jpg")
    return folder


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("seen")
    items = products()
    titles = pa.array([f"thing {n // 2}" for n in range(N)])  # two of each: one group
    items = items.set_column(items.column_names.index("title"), "title", titles).drop_columns("brand")
    use = ("tabular", "photos")
    return trained("gru", folder / "gru", use=use, epochs=1, items=items, images=pictured(folder / "images"))


@pytest.fixture
def client(shop: Path, tmp_path: Path) -> Iterator[TestClient]:
    engine = Engine.open(shop, f"sqlite:///{tmp_path / 'shop.db'}")
    app = create_app(engine, ServeConfig(out=shop, storefront=True))
    with TestClient(app, base_url="http://localhost:8000", headers={"Accept": "text/html"}) as opened:
        yield opened


def test_what_photos_tell_is_kept_beside_the_code_and_for_new_products(shop: Path, tmp_path: Path) -> None:
    described = artifacts.load(shop).described
    assert described is not None
    photos = described.products.photos
    assert photos is not None
    assert photos.dim == 16
    kept = described.products.like(["x"], described.products.of(["i3"]).to_bytes())
    item = described.products.item_ids.index("i3") + 1
    assert kept.photos is not None
    assert kept.photos.vectors[1].tolist() == photos.vectors[item].tolist()
    engine = Engine.open(shop, f"sqlite:///{tmp_path / 'shop.db'}")
    data = io.BytesIO()
    Image.fromarray(photo("disc", "blue", left=3, top=3)).resize((64, 64)).save(data, "JPEG")
    engine.put_items([{"item_id": "new", "title": "New"}], {"new": data.getvalue()})
    assert len(engine.similar("new", 3, by="photo").items) == 3
    engine.close()


def test_the_page_shows_what_looks_like_it_and_where_the_network_looked(client: TestClient) -> None:
    page = client.get("/shop/product/i3").text
    (section,) = re.findall(r'<section class="looks".*?</section>', page, re.DOTALL)
    found = re.findall(r'href="/shop/product/(i\d+)"', section)
    assert len(found) >= FEWEST
    assert not {"i2", "i3"} & {*found}
    assert len({int(item[1:]) // 2 for item in found}) == len(found)
    assert "<details" in section
    assert 'src="/photo/i3/seen"' in section
    assert "Looks like this" in section
    assert "看起来相似" in client.get("/shop/product/i3?lang=zh").text


def test_a_product_without_a_photo_has_no_such_section(client: TestClient) -> None:
    assert 'class="looks"' not in client.get(f"/shop/product/{BLANK}?lang=en").text
    for item in (BLANK, "nothing"):
        assert client.get(f"/photo/{item}/seen").status_code == 404


def warmest(jpeg: bytes) -> int:
    """How far red and blue are apart where they are the furthest."""
    image = np.asarray(Image.open(io.BytesIO(jpeg)).convert("RGB")).astype(int)
    return int(np.abs(image[..., 0] - image[..., 2]).max())


def test_the_heat_map_is_a_picture_with_colours(client: TestClient) -> None:
    answer = client.get("/photo/i3/seen")
    assert answer.headers["content-type"] == "image/jpeg"
    assert Image.open(io.BytesIO(answer.content)).size == (seen.SIDE, seen.SIDE)
    spread = [warmest(client.get(f"/photo/i{n}/seen").content) for n in range(8)]
    assert max(spread) > 60  # grey has none
    again = client.get("/photo/i3/seen", headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304


def test_the_api_finds_by_photo(client: TestClient) -> None:
    found = client.get("/v1/items/i3/similar", params={"by": "photo", "k": 4}).json()
    assert len(found["items"]) == 4
    assert client.get(f"/v1/items/{BLANK}/similar?by=photo").status_code == 404
    assert client.get("/v1/items/i3/similar?by=smell").status_code == 422


def test_an_artifact_that_saw_no_photos_has_none_of_it(tmp_path: Path) -> None:
    version = Version.load(trained("gru", tmp_path / "gru", use=("tabular",), epochs=1))
    assert version.photo_vectors is None
    assert seen.alike_by_photo(version, "i3") == []


def test_maps_are_made_once_and_the_oldest_go() -> None:
    maps, made = HeatMaps(kept=2), list[str]()

    def make(key: str) -> bytes:
        made.append(key)
        return key.encode()

    for key in ("a", "b", "a", "c", "a", "b"):
        assert maps.of(key, lambda key=key: make(key)) == key.encode()  # type: ignore[misc]
    assert made == ["a", "b", "c", "b"]


def test_too_many_at_once_are_told_to_come_back() -> None:
    maps, go, said = HeatMaps(), threading.Event(), list[int]()

    def ask(n: int) -> None:
        try:
            maps.of(str(n), lambda: bytes(go.wait(10)))
            said.append(200)
        except Refused as error:
            said.append(error.status_code)

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(seen.WAITING + 3)]
    for thread in threads:
        thread.start()
    for _ in range(100):
        if len(said) == 3:
            break
        threading.Event().wait(0.02)
    assert said == [503] * 3
    go.set()
    for thread in threads:
        thread.join()
    assert said.count(200) == seen.WAITING
