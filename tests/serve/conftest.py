"""A server on the small engine, with and without keys."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from endcap.serve.app import create_app
from endcap.serve.config import ServeConfig
from tests.serve.fakes import FakeEngine

SECRET = "secret-of-the-shop-backend"
READER = "secret-of-the-dashboard"
SIGNING = "signing-secret-of-the-pages"
SHOP = "https://shop.example"

KEYS = f"""
[[keys]]
name = "backend"
secret = "{SECRET}"
role = "write"

[[keys]]
name = "dashboard"
secret = "{READER}"
role = "read"

[[keys]]
name = "pages"
public = "pk_shop"
signing_secret = "{SIGNING}"
origins = ["{SHOP}"]
"""

Open = Callable[..., TestClient]


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    path = tmp_path / "keys.toml"
    path.write_text(KEYS, encoding="utf-8")
    return path


@pytest.fixture
def serve(engine: FakeEngine, tmp_path: Path) -> Iterator[Open]:
    """A client of a server with other settings."""
    with ExitStack() as stack:

        def opened(**settings: Any) -> TestClient:
            config = replace(ServeConfig(out=tmp_path / "shop"), **settings)
            client = TestClient(create_app(engine, config), base_url="http://localhost:8000")
            return stack.enter_context(client)

        yield opened


@pytest.fixture
def client(serve: Open) -> TestClient:
    """Without keys, from this machine."""
    return serve()


@pytest.fixture
def keyed(serve: Open, keys: Path) -> TestClient:
    """With the keys of KEYS, from anywhere."""
    client = serve(keys=keys)
    client.base_url = "https://api.shop.example"
    return client


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def code(response: Any) -> str:
    """Of the one shape that errors have."""
    error = response.json()["error"]
    assert set(error) == {"code", "message", "details"}
    assert error["message"]
    return error["code"]
