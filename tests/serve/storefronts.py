"""A shop for tests of its pages: the circle of products, and some that are hard to show."""

import io
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from PIL import Image
from starlette.testclient import TestClient

from endcap.engine.engine import Engine
from endcap.serve.app import create_app
from endcap.serve.config import ServeConfig
from endcap.serve.storefront.config import StorefrontConfig
from endcap.store.records import Event, Visitor
from tests.engine.artifacts import trained

SCRIPT = '<script>document.title="hacked"</script><img src=x onerror=\'document.title="hacked"\'>'
HARD: tuple[dict[str, Any], ...] = (
    {
        "item_id": 'html"><b>/x',
        "title": SCRIPT,
        "category": f"Things > {SCRIPT}",
        "brand": SCRIPT,
        "description": SCRIPT,
        "price": 9,
        "image": "javascript:alert(1)",
        "attributes": f"{SCRIPT}=1|made of={SCRIPT}",
    },
    {
        "item_id": "arabic",
        "title": "شاي أخضر ‏2024 (عضوي) – 50 غ",
        "category": "مشروبات > شاي",
        "brand": "الأخضر",
        "price": 4,
    },
    {"item_id": "long", "title": "Very long title " * 19, "category": "Things > " + "W" * 120, "price": 123456.5},
    {"item_id": "unbroken", "title": "x" * 300, "category": "Things"},
    {"item_id": "bare"},
    {
        "item_id": "绿茶",
        "title": "绿茶 Green tea",
        "category": "饮料 > 茶",
        "brand": "龙井",
        "price": 25,
        "currency": "CNY",
    },
    {"item_id": "gone", "title": "Sold out", "category": "饮料", "stock": 0},
    {"item_id": "few", "title": "Few left", "category": "Things", "price": 2, "stock": 3},
)
OpenShop = Callable[..., TestClient]


@pytest.fixture(scope="session")
def trained_shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An artifact that knows exactly what comes next on the circle."""
    return trained("transitions", tmp_path_factory.mktemp("storefront") / "shop")


def shop_app(trained_shop: Path, folder: Path, *, db: bool = True, **settings: Any) -> FastAPI:
    """A shop with the hard products and two users."""
    out = folder / "shop"
    shutil.copytree(trained_shop, out)
    url = f"sqlite:///{folder / 'shop.db'}" if db else None
    engine = Engine.open(out, url)
    if db:
        engine.put_items(HARD)
        engine.record([
            Event(Visitor(user), f"i{n}", "purchase", time=1e9 + n) for user, last in (("ann", 9), ("bo & co", 4))
            for n in range(last)
        ])  # fmt: skip
    settings.setdefault("shop", StorefrontConfig(demo=True))
    return create_app(engine, ServeConfig(out=out, db=url, **settings))


@pytest.fixture
def open_shop(trained_shop: Path, tmp_path: Path) -> Iterator[OpenShop]:
    """Clients of a shop with other settings."""
    with ExitStack() as stack:

        def opened(**settings: Any) -> TestClient:
            app = shop_app(trained_shop, tmp_path, **settings)
            client = TestClient(app, base_url="http://localhost:8000", headers={"Accept": "text/html"})
            return stack.enter_context(client)

        yield opened


@pytest.fixture(scope="module")
def app(trained_shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FastAPI]:
    """One shop for many visitors."""
    made = shop_app(trained_shop, tmp_path_factory.mktemp("shop"))
    with TestClient(made):
        yield made


@pytest.fixture
def client(app: FastAPI) -> TestClient:
    """A new visitor, who changes nothing for others."""
    return TestClient(app, base_url="http://localhost:8000", headers={"Accept": "text/html"})


def photo(colour: str, form: str = "JPEG", side: int = 64) -> bytes:
    """A picture of one colour."""
    made = io.BytesIO()
    Image.new("RGB", (side, side), colour).save(made, form)
    return made.getvalue()
