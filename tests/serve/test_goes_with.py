"""Where the storefront has a shelf for what goes with a product or a cart."""

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from endcap.engine.engine import Engine
from endcap.serve.app import create_app
from endcap.serve.config import ServeConfig
from endcap.serve.storefront.config import StorefrontConfig
from tests.engine.baskets import LONE, SETS, trained

SHELF = 'slot="cart"'


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    folder = tmp_path_factory.mktemp("goes")
    place = trained(folder / "shop")
    engine = Engine.open(place, f"sqlite:///{folder / 'shop.db'}")
    app = create_app(engine, ServeConfig(out=place, shop=StorefrontConfig(demo=True)))
    with TestClient(app, base_url="http://localhost:8000", headers={"Accept": "text/html"}) as opened:
        yield opened


def carted(client: TestClient, item_id: str) -> str:
    """The page of a cart with one product."""
    client.cookies.clear()
    page = client.get(f"/shop/product/{item_id}").text
    form = page.partition('name="form" value="')[2].partition('"')[0]
    body = {"form": form, "item_id": item_id, "quantity": "1"}
    assert client.post("/shop/cart", data=body).is_success
    return client.get("/shop/cart").text


@pytest.mark.parametrize("main", SETS)
def test_a_product_and_a_cart_that_something_goes_with_have_a_shelf_for_it(client: TestClient, main: str) -> None:
    assert SHELF in client.get(f"/shop/product/{main}").text
    assert SHELF in carted(client, main)


def test_where_nothing_is_known_there_is_no_shelf_that_would_only_vanish(client: TestClient) -> None:
    assert SHELF not in client.get(f"/shop/product/{LONE}").text
    page = carted(client, LONE)
    assert SHELF not in page
    assert 'slot="home"' in page  # and yet no end of the way


def test_what_was_chosen_by_hand_has_a_shelf_too(client: TestClient) -> None:
    by_hand = {"action": "complement", "beside": [LONE], "item_ids": ["beer", "wine", "corn", "rice"]}
    assert client.put("/v1/rules/hand", json=by_hand).is_success
    assert SHELF in client.get(f"/shop/product/{LONE}").text
    assert client.delete("/v1/rules/hand").is_success
