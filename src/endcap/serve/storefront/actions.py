"""What forms do: the cart, an order, stepping into a household, being forgotten."""

import hashlib
import time
from collections.abc import Mapping
from typing import Annotated
from urllib.parse import parse_qsl

from fastapi import APIRouter, Depends
from itsdangerous import URLSafeSerializer
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from endcap.data.errors import InputError
from endcap.serve.bodies import raw
from endcap.serve.errors import Refused
from endcap.serve.storefront import past
from endcap.serve.storefront.basket import ASIDE, MOST, Basket, Key, basket_of, keep
from endcap.serve.storefront.catalogue import Product, find, product
from endcap.serve.storefront.guest import Guest, remember
from endcap.serve.storefront.pages import Page, PageRoute
from endcap.serve.storefront.variants import JOINT, Option, chosen, options
from endcap.serve.storefront.views import FORGOTTEN, ORDER, Here
from endcap.store.records import Event, Visitor

MOST_FORGOTTEN = 10_000
"""Events of which it is said in how many orders they were."""

router = APIRouter(include_in_schema=False, route_class=PageRoute)


async def form_of(request: Request) -> Mapping[str, str]:
    """The fields of a form that this browser was shown; raises Refused (403) for any other."""
    fields = dict(parse_qsl((await raw(request)).decode("utf-8", "replace"), keep_blank_values=True))
    Page(request).guest.check_form(fields.get("form", ""))
    return fields


Form = Annotated[Mapping[str, str], Depends(form_of)]


@router.post("/shop/cart")
def change_cart(page: Here, form: Form) -> Response:
    """Puts pieces of a product into the cart (`add`), or says how many there are to be (`set`)."""
    item = find(page.shelf, form.get("item_id", ""))
    if not item:
        raise Refused(404, "not_found", f"there is no product {form.get('item_id', '')!r}")
    shown, before = product(page.shelf, item), page.basket
    pieces, is_set = _pieces(form.get("quantity", "1")), form.get("change") == "set"
    asked = options(page.shelf, item)
    variant = form.get("variant", "") if is_set else chosen(asked, form)
    if variant is None or (is_set and not _is_there(asked, variant)):
        return _choose(page, shown, asked)
    key = shown.item_id, variant
    basket = before.put(key, pieces if is_set else before.quantity(key) + pieces, form.get("list") or None)
    if not basket.fits(page.guest.key):
        raise Refused(422, "cart_full", "the cart is full; take something out of it first")
    page.shop.record(_changed(page, shown, key, basket))
    said = {"pieces": len(basket), "items": list(basket), "variant": variant, "before": before.quantity(key)}
    return _with(_answer(page, "/shop/cart", said), page, basket)


@router.post("/shop/order")
def order(page: Here, form: Form) -> Response:
    """Records the purchases; the same form sent twice counts once."""
    lines = [(product(page.shelf, item), variant, line) for (item_id, variant), line in page.basket.lines.items()
             if (item := find(page.shelf, item_id))]  # fmt: skip
    if not lines:
        return RedirectResponse("/shop/cart", 303)
    number = hashlib.sha256(f"{page.guest.session_id}\0{form.get('number', '')}".encode()).hexdigest()
    page.shop.record([
        Event(page.guest.visitor, each.item_id, "purchase", event_id=f"shop-{number}-{place}", price=each.price,
              quantity=line.quantity, recommendation_id=line.list)
        for place, (each, _, line) in enumerate(lines)
    ])  # fmt: skip
    told = [number[:8].upper(), [each.item_id for each, *_ in lines],
            [[line.quantity, each.item_id, variant] for each, variant, line in lines if variant]]  # fmt: skip
    signed = URLSafeSerializer(page.guest.key.signing_secret, ORDER).dumps(told)
    return _with(RedirectResponse(f"/shop/thanks?order={signed!s}", 303), page, Basket())


@router.post("/shop/household")
def step_into(page: Here, form: Form) -> Response:
    """In a demonstration: from now on this browser is a user of the store, or who it was before, with their cart."""
    user_id = form.get("user_id", "")
    if user_id and user_id not in {each.user_id for each in page.shop.households()}:
        raise Refused(404, "not_found", f"there is no household {user_id!r}")
    guest, key = page.guest, page.guest.key
    response = RedirectResponse("/", 303)
    if user_id:
        if guest.user_id is None:
            keep(response, page.basket, key, page.request, ASIDE)
        return _as(page, guest.become(user_id), response, Basket())
    back = basket_of(page.request, key, ASIDE) if guest.user_id is not None else page.basket
    response.delete_cookie(ASIDE)
    return _as(page, guest.back(), response, back)


@router.post("/shop/forget")
def forget(page: Here, form: Form) -> Response:
    """Deletes all that is known of the visitor and says how much that was; whoever comes back is a new one.

    Raises Refused (409) where a visitor of a demonstration is a user of the store: that past is not theirs to delete.
    """
    if page.guest.user_id is not None:
        raise Refused(409, "household", "the history of a household is not yours to delete; step out of it first")
    store, visitor = page.shop.engine.store, page.guest.visitor
    gone = [0, 0]
    if store is not None:
        # The store forgets users, with their sessions: an anonymous session becomes one for a moment.
        user_id = f"session:{visitor.session_id}"
        page.shop.engine.flush()
        store.identify(Visitor(user_id, visitor.session_id))
        orders = past.orders(store.histories([Visitor(user_id)], last=MOST_FORGOTTEN)[0])
        gone = [store.forget(user_id, now=time.time()), orders]
        past.households.cache_clear()
    signed = URLSafeSerializer(page.guest.key.signing_secret, FORGOTTEN).dumps(gone)
    response = RedirectResponse(f"/shop/you?forgotten={signed!s}", 303)
    response.delete_cookie(ASIDE)
    return _as(page, page.guest.anew(), response, Basket())


def _is_there(asked: tuple[Option, ...], variant: str) -> bool:
    """Whether a line of the cart says what has to be chosen; one of before there was a choice may stay."""
    return not variant or len(variant.split(JOINT)) == len(asked)


def _choose(page: Page, shown: Product, asked: tuple[Option, ...]) -> Response:
    """Nothing goes into the cart before its size is known."""
    names = [page.label(option.column) for option in asked]
    if page.request.headers.get("accept") == "application/json":
        raise Refused(422, "choice", f"choose first: {', '.join(names)}")
    return page.render("choose.html", code=422, product=shown, names=names)


def _changed(page: Page, shown: Product, key: Key, basket: Basket) -> list[Event]:
    more = basket.quantity(key) - page.basket.quantity(key)
    if not more:
        return []
    line = basket.lines.get(key) or page.basket.lines[key]
    kind = "cart" if more > 0 else "remove"
    return [Event(page.guest.visitor, shown.item_id, kind, price=shown.price, quantity=abs(more),
                  recommendation_id=line.list)]  # fmt: skip


def _pieces(text: str) -> int:
    """Raises InputError where it is no number of pieces."""
    if not (text.isascii() and text.isdecimal() and int(text[:4]) <= MOST):
        raise InputError(f"found {text[:20]!r} pieces; expected 0 to {MOST}")
    return int(text)


def _answer(page: Page, then: str, said: Mapping[str, object]) -> Response:
    """For scripts what came of it, for browsers without them the next page."""
    if page.request.headers.get("accept") == "application/json":
        return JSONResponse(said, headers={"Cache-Control": "no-store"})
    return RedirectResponse(then, 303)


def _with(response: Response, page: Page, basket: Basket) -> Response:
    keep(response, basket, page.guest.key, page.request)
    return response


def _as(page: Page, guest: Guest, response: Response, basket: Basket) -> Response:
    """Goes on as somebody else, with their cart."""
    remember(response, guest, page.request)
    return _with(response, page, basket)
