"""The pages: each asks the shop, and fills a template."""

import logging
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from itsdangerous import BadSignature, URLSafeSerializer
from starlette.requests import Request
from starlette.responses import Response

from endcap.engine.page import FEWEST
from endcap.engine.requests import Slot
from endcap.engine.searching import Sought, seek
from endcap.features.cells import plain
from endcap.serve.assets import FOR_EVER
from endcap.serve.bodies import PathId
from endcap.serve.errors import Refused
from endcap.serve.storefront import head, past, searched
from endcap.serve.storefront.catalogue import (
    Product,
    described,
    facts,
    find,
    in_stock,
    product,
    products,
    tree,
)
from endcap.serve.storefront.facets import candidates, labels
from endcap.serve.storefront.kinds import as_cards, kinds
from endcap.serve.storefront.listing import Choice, Listing, category_filter, in_category, listing
from endcap.serve.storefront.pages import STATIC, Page, PageRoute
from endcap.serve.storefront.seen import alike_by_photo
from endcap.serve.storefront.taste import best
from endcap.serve.storefront.variants import options
from endcap.store.errors import Unavailable
from endcap.store.records import Event, Happened

POPULAR = 100
"""Products that many like: the first stand on the home page, and give their photos to departments."""
DOORS = 8
PERSONAL = 240
"""Products of a category that come in the visitor's own order; who leafs on sees the others."""
FEW = 12
"""Products that a category must have for a shelf of nothing else; as many stand on one."""
DEPARTMENTS = 3
"""Departments with a shelf of their own, for whom the shop knows nothing of."""
JUST_SEEN = 50
MOSAIC = 6
LONGEST_SEARCH = 200
ORDER = "endcap order"
FORGOTTEN = "endcap forgotten"

log = logging.getLogger(__name__)
router = APIRouter(include_in_schema=False, route_class=PageRoute)


def page_of(request: Request) -> Page:
    """A request for a page."""
    return Page(request)


Here = Annotated[Page, Depends(page_of)]
List = Annotated[str | None, Query(alias="list", max_length=64)]


@router.get("/")
def home(page: Here) -> Response:
    """For whom the shop knows: what is for them, and why; for everybody: departments, and what many like."""
    many = best(page.version, (), POPULAR)
    popular = products(page.shelf, many[page.listed.there[many]])
    photographed = {name: Product(item_id, "").photo for name, item_id in page.shop.first_photos(page.shelf).items()}
    photographed |= {each.category[0]: each.photo for each in reversed(popular)
                    if each.category and page.shop.has_photo(page.shelf, each.item_id)}  # fmt: skip
    done = page.shop.past(page.guest.visitor)
    return page.render(
        "home.html",
        description=page.say("hero.text", products=page.say.number(int(page.listed.there.sum()))),
        known=bool(done),
        shelves=_shelves(page, done),
        excluded=[*page.basket, *_only_looked_at(done)],
        because=_because(page, done),
        mosaic=_mosaic(page, popular),
        popular=popular,
        doors=[(each, photographed.get(each.path[0], each.pattern)) for each in tree(page.listed).below()[:DOORS]],
        size=int(page.listed.there.sum()),
        households=_households(page),
    )


@router.get("/shop/category/{category:path}")
def category(page: Here, category: PathId) -> Response:
    """The products of a category, the visitor's own order first."""
    found = tree(page.listed).find(category)
    if found is None:
        raise Refused(404, "not_found", f"there is no category {category!r}")
    choice = _choice(page)
    first = best(page.version, page.shop.past(page.guest.visitor), PERSONAL, category_filter(found.path))
    shown = listing(page.listed, in_category(page.listed, found.path, first), choice)
    return _listed(page, "category.html", shown, category=found, above=tree(page.listed).above(found.path),
                   below=tree(page.listed).below(found.path))  # fmt: skip


@router.get("/shop/categories")
def categories(page: Here) -> Response:
    """All departments with what is below them."""
    known = tree(page.listed)
    large, small = known.departments()
    return page.render("categories.html", groups=[(each, known.below(each.path)) for each in large], small=small)


@router.get("/shop/search")
def find_products(page: Here, q: Annotated[str, Query(max_length=LONGEST_SEARCH)] = "") -> Response:
    """What fits the words, best first, and what was made of them."""
    hits = seek(page.version, page.listed, Sought(q), page.shop.past(page.guest.visitor))
    found = listing(page.listed, hits.found.items, _choice(page))
    return _listed(page, "search.html", found, asked=q.strip(), notes=searched.notes(page, hits))


@router.get("/shop/product/{item_id:path}")
def show_product(page: Here, item_id: PathId, found: List = None) -> Response:
    """A product; that it was looked at is kept before the page is made, so that its shelves know."""
    item = find(page.shelf, item_id)
    if not item:
        raise Refused(404, "not_found", f"there is no product {item_id!r}")
    shown, known = product(page.shelf, item), tree(page.listed)
    _looked(page, shown, found)
    above, looks = known.above(shown.category), alike_by_photo(page.version, shown.item_id)
    row = page.shelf.row(shown.item_id)
    return page.render(
        "product.html",
        product=shown,
        above=above,
        description=described(row.get("description")),
        data=head.product(page, shown, row.get("description"), above),
        facts=facts(page.shelf, item),
        options=options(page.shelf, item),
        kinds=kinds(page.shelf, item),
        stocked=in_stock(page.shelf, item),
        found=found,
        known=any(event.item_id != shown.item_id for event in page.shop.past(page.guest.visitor)),
        excluded=[*page.basket, *(each.item_id for each in looks)],
        looks=looks,
        has_similar=page.version.likeness(item) is not None,
        goes=page.shop.engine.goes_with([shown.item_id]) >= FEWEST,
    )


@router.get("/shop/cart")
def cart(page: Here) -> Response:
    """What lies in it, and what goes with that."""
    return _cart(page)


@router.get("/shop/checkout")
def checkout(page: Here) -> Response:
    """Nothing is paid here: an order is a number of purchase events."""
    if not page.basket.lines:
        return _cart(page)
    return page.render("checkout.html", **_basket(page))


@router.get("/shop/thanks")
def thanks(page: Here, order: str = "") -> Response:
    """After an order, with what goes with it."""
    found = _signed(page, order, ORDER)
    if found is None:
        raise Refused(404, "not_found", "there is no such order")
    number, ids, *variants = found
    bought = [item for item_id in ids if (item := find(page.shelf, item_id))]
    chosen = [(n, product(page.shelf, item), variant) for each in variants for n, item_id, variant in each
              if (item := find(page.shelf, item_id))]  # fmt: skip
    return page.render("thanks.html", number=number, chosen=chosen, bought=products(page.shelf, bought))


@router.get("/shop/you")
def you(page: Here, forgotten: str = "") -> Response:
    """All that this shop knows of its visitor; scripts show the middle of it in a drawer."""
    done = page.shop.past(page.guest.visitor)
    template = "drawer.html" if page.request.query_params.get("part") == "1" else "you.html"
    return page.render(
        template, known=past.known(page.shelf, done, page.shop.engine.config.last), households=_households(page),
        forgotten=_signed(page, forgotten, FORGOTTEN),
    )  # fmt: skip


@router.get("/shop/forget")
def ask_to_forget(page: Here) -> Response:
    """Asks before all that is known of a visitor is deleted, and says what that is."""
    done = page.shop.past(page.guest.visitor)
    return page.render("forget.html", events=len(done), orders=past.orders(done))


@router.get("/shop/households")
def households(page: Here) -> list[dict[str, Any]]:
    """Users of the store whom visitors of a demonstration may step into."""
    return [{"user_id": each.user_id, "events": each.events, "likes": likes} for each, likes in _households(page)]


@router.get("/shop/static/{name}")
async def static(request: Request, name: str) -> Response:
    """Styles, scripts and icons."""
    if name not in STATIC:
        raise Refused(404, "not_found", "there is no such file")
    return STATIC[name].response(request, FOR_EVER)


def _signed(page: Page, text: str, salt: str) -> Any:
    """What an address of ours says; None where it is not ours."""
    try:
        return URLSafeSerializer(page.guest.key.signing_secret, salt).loads(text)
    except (BadSignature, ValueError, TypeError):
        return None


def _choice(page: Page) -> Choice:
    return Choice.of(page.request.query_params.multi_items(), candidates(page.listed))


def _listed(page: Page, template: str, shown: Listing, **values: Any) -> Response:
    chosen = [(labels(page.listed, column).get(plain(value), value), shown.choice.without(column, value))
              for column, each in shown.choice.columns.items() for value in each]  # fmt: skip
    return page.render(template, listing=shown, products=as_cards(page.shelf, shown.items), chosen=chosen, **values)


def _looked(page: Page, shown: Product, found: str | None) -> None:
    """A page that a browser fetches before anybody wants it was not looked at."""
    if "prefetch" in page.request.headers.get("sec-purpose", ""):
        return
    try:
        page.shop.record([Event(page.guest.visitor, shown.item_id, "view", price=shown.price, recommendation_id=found)])
    except Unavailable:
        log.warning("the database is away: a look at a product is lost")


def _because(page: Page, done: list[Happened]) -> dict[str, str]:
    """item_id -> the heading of a shelf that it is the reason of."""
    return {item_id: page.say(f"shelf.because.{kind}", title=title[:60])
            for item_id, (kind, title) in past.reasons(page.shelf, done).items()}  # fmt: skip


@dataclass(frozen=True)
class Shelved:
    """A shelf of the home page."""

    slot: Slot
    heading: str
    filter: str | None = None


def _shelves(page: Page, done: list[Happened]) -> list[Shelved]:
    """For whom the shop knows nothing of: what many like, in all and by department. For others: what is for them.

    Who only looked so far sees what is new first: a model of purchases knows of them what it knows of all.
    """
    if not done:
        departments = [each for each in tree(page.listed).below() if each.size >= FEW][:DEPARTMENTS]
        return [
            Shelved("popular", page.say("popular")),
            *(Shelved("popular", each.name, category_filter(each.path)) for each in departments),
        ]
    home, new = Shelved("home", page.say("shelf.home")), Shelved("new", page.say("shelf.new"))
    if any(event.kind == "purchase" for event in done):
        return [home, Shelved("again", page.say("shelf.again")), new]
    return [new, home]


def _only_looked_at(done: list[Happened]) -> list[str]:
    """The latest products that were looked at and no more: whoever wants them again knows where they are."""
    more = {event.item_id for event in done if event.kind not in ("view", "click")}
    looked = dict.fromkeys(event.item_id for event in reversed(done) if event.item_id not in more)
    return list(looked)[:JUST_SEEN]


def _mosaic(page: Page, popular: list[Product]) -> list[Product]:
    """Six products of unlike categories, those with a photo first; none of those that stand first on the shelf."""
    photographed = sorted(popular[FEW:], key=lambda each: not page.shop.has_photo(page.shelf, each.item_id))
    unlike = {each.category: each for each in reversed(photographed)}
    chosen = [each for each in photographed if unlike.get(each.category) is each]
    return (chosen if len(chosen) >= MOSAIC else photographed)[:MOSAIC]


def _cart(page: Page) -> Response:
    held = [*page.basket]
    return page.render("cart.html", held=held, goes=page.shop.engine.goes_with(held) >= FEWEST, **_basket(page))


def _basket(page: Page) -> dict[str, Any]:
    """The lines of the cart with their products; those that have left the shop are no longer in it."""
    lines = [
        (product(page.shelf, item), line.quantity, variant)
        for (item_id, variant), line in page.basket.lines.items() if (item := find(page.shelf, item_id))
    ]  # fmt: skip
    priced = [(each.price * n, each.currency) for each, n, _ in lines if each.price is not None]
    total = None
    if priced and len({currency for _, currency in priced}) == 1:
        total = page.say.money(sum(price for price, _ in priced), priced[0][1] or page.shop.config.currency)
    return {"lines": lines, "total": total, "unpriced": sum(n for each, n, _ in lines if each.price is None)}


def _households(page: Page) -> list[tuple[past.Household, list[str]]]:
    users = page.shop.households()
    return list(zip(users, page.shop.likes(users), strict=True))
