"""How good the shelves of a shop are, as a visitor sees them: counted on its pages, in headless Chromium.

    .venv/bin/endcap demo --out runs/demo --no-serve                        # once, for each shop
    .venv/bin/python benchmarks/shelves.py runs/demo                        # opens it, measures it, closes it
    .venv/bin/python benchmarks/shelves.py runs/demo --json after.json --source ../older/src
    .venv/bin/python benchmarks/shelves.py runs/demo --address http://127.0.0.1:8000   # one that is open already
    .venv/bin/python benchmarks/shelves.py --table before.json after.json   # both side by side

What products are (category, brand, groups, what was bought together) is read from the prepared log and catalogue in
the folder, so that it is the same whatever code serves (`--source`). Products, users and categories are drawn with a
seed: 40 of the 200 most bought products that a shop would sell, 60 users, ten categories.

similar    Of the shelf "Similar": cards of the product's own deepest category; of that or one with the same parent.
group      Products of one title and brand, or of one product_code.
looks      Three products of a category are looked at; then, of the first 12 products of the home page, those that were
           not seen and are of the category.
reasons    What /v1/recommendations names with `explain`. Plausible: it shares the deepest category, the brand or carts
           with the product (two or more, twice as many as by chance; a cart is what a user put into it or
           bought on a day).
photo      The share of a photo's area that its frame does not cut off, and how many times its size it is drawn.
axe        What axe-core finds that is serious or critical, on every page of the shop and the console, in both schemes.

With the machine busy, paints and clicks take longer; everything else is counted, and does not depend on it.
"""

import argparse
import json
import signal
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from playwright.sync_api import Error, Page

import pages
from serving import machine
from shelves_known import Known
from shelves_shop import Figures, List, Shop, chromium, opened

AXE = Path.home() / ".cache/endcap-tests/node_modules/axe-core/axe.min.js"
USERS, PRODUCTS, CATEGORIES, CARTS, LOOKS, FIRST = 60, 40, 10, 10, 3, 12
LATELY = ("recent", "just looked", "seen", "looked at lately")
SLOTS = ("home", "again", "new")


def product_path(item: str) -> str:
    return f"/shop/product/{quote(item, safe='')}"


def ids(shown: List) -> list[str]:
    return [card["id"] for card in shown["cards"]]


def is_seen(shown: List) -> bool:
    """Whether a list is of what the visitor looked at."""
    return any(word in shown["heading"].casefold() for word in LATELY)


def sampled(known: Known) -> list[str]:
    """Of the most bought products those that a shop would sell."""
    sold = [item for item in known.most_bought if item not in known.not_sold]
    return [sold[n] for n in np.random.default_rng(0).permutation(len(sold))[:PRODUCTS]]


# What is measured


def products(shop: Shop) -> None:
    """The pages of 40 products, each by a new visitor."""
    known, found, counts = shop.known, defaultdict(list), defaultdict(list)
    for item in sampled(known):
        page = shop.visitor()
        try:
            lists = shop.lists(page, product_path(item))
        except LookupError:
            continue
        own_photo, moved = page.evaluate("productPhoto()"), page.evaluate("window.moved")
        page.context.close()
        cards = [card for shown in lists for card in shown["cards"]]
        every = [card["id"] for card in cards]
        similar = [shown for shown in lists if shown["slot"] == "similar" or shown["heading"].startswith("Similar")][:1]
        for other in (each for shown in similar for each in ids(shown)):
            found["Similar: of the product's own category"].append(known.own(item, other))
            found["Similar: of its own or a sister category"].append(known.sister(item, other))
        found["product pages that have a shelf Similar"].append(bool(similar))
        found["product pages that show their own product or its group"].append(
            any(known.same(item, each) for each in every)
        )
        found["cards of product pages with words beyond the card"] += [card["over"] for card in cards]
        found["cards of product pages with an empty price row"] += [card["hole"] for card in cards]
        counts["shelves of a product page"].append(len(lists))
        counts["cards of a product page"].append(len(cards))
        counts["products of a product page that stand on two shelves"].append(len(every) - len(set(every)))
        counts["groups of a product page that stand on two shelves"].append(_between(known, lists))
        counts["products of a list that read like another one of it"].extend(
            len(ids(one)) - known.distinct(ids(one)) for one in lists
        )
        counts["cards of a product page: fuel, coupons, deposits"].append(sum(each in known.not_sold for each in every))
        counts["cards of a product page: without a price"].append(sum(not card["priced"] for card in cards))
        counts["layout shift of a product page"].append(moved)
        _photos(counts, own_photo, cards)
    _put(shop.figures, found, counts)
    _phone_photos(shop)


def _between(known: Known, lists: Sequence[List]) -> int:
    """Groups that stand on more than one list."""
    groups = [{known.group.get(each, each) for each in ids(shown)} for shown in lists]
    return sum(n - 1 for n in Counter(group for each in groups for group in each).values())


def _photos(counts: dict[str, list[float]], own: dict[str, float] | None, cards: Sequence[List]) -> None:
    if own:
        counts["photo of a product page, 1280 wide: share visible"].append(own["visible"])
        counts["photo of a product page, 1280 wide: times its size"].append(own["times"])
    counts["photo of a card: share visible"].extend(card["photo"]["visible"] for card in cards if card["photo"])
    counts["photo of a card: times its size"].extend(card["photo"]["times"] for card in cards if card["photo"])


def _phone_photos(shop: Shop) -> None:
    values = []
    page = shop.visitor("phone")
    for item in sampled(shop.known)[:10]:
        page.goto(shop.address + product_path(item), wait_until="load")
        if own := page.evaluate("productPhoto()"):
            values.append(own["visible"])
    page.context.close()
    shop.figures.mean("photo of a product page, 390 wide: share visible", values)


def _put(figures: Figures, found: dict[str, list[bool]], counts: dict[str, list[float]]) -> None:
    for name, hits in found.items():
        figures.share(name, hits)
    for name, values in counts.items():
        figures.mean(name, values)


def home(shop: Shop) -> None:
    """The home page: of somebody new, and of the households that one may step into."""
    page = shop.visitor()
    _home(shop, shop.lists(page, "/"), "first visit")
    page.context.close()
    n = len(json.loads(shop.ask("/shop/households")[2] or b"[]"))
    every: list[list[List]] = []
    for place in range(n):
        page = shop.visitor()
        page.goto(shop.address)
        with page.expect_navigation():
            page.locator("form[action='/shop/household'] button[name=user_id]").nth(place).click()
        every.append(shop.lists(page, "/"))
        page.context.close()
    known = shop.known
    shop.figures.mean(
        "household's home page: pairs of shelves with the same products", [_equal(lists) for lists in every]
    )
    shop.figures.mean("household's home page: groups on two shelves", [_between(known, lists) for lists in every])
    not_sold = [sum(each in known.not_sold for shown in lists for each in ids(shown)) for lists in every]
    shop.figures.mean("household's home page: fuel, coupons, deposits", not_sold)


def _equal(lists: Sequence[List]) -> int:
    return sum(set(ids(one)) == set(ids(other)) for one, other in combinations(lists, 2))


def _home(shop: Shop, lists: Sequence[List], name: str) -> None:
    known, every = shop.known, [each for shown in lists for each in ids(shown)]
    shop.figures.mean(f"{name}: shelves of the home page", [len(lists)])
    shop.figures.mean(f"{name}: pairs of shelves with the same products", [_equal(lists)])
    shop.figures.share(
        f"{name}: cards of a product that no card above has", [each not in every[:n] for n, each in enumerate(every)]
    )
    titles = [Counter(card["title"].casefold() for card in shown["cards"]) for shown in lists]
    shop.figures.mean(f"{name}: most products of one title in a shelf", [max(each.values()) for each in titles])
    shop.figures.mean(f"{name}: fuel, coupons, deposits", [sum(each in known.not_sold for each in every)])


def looks(shop: Shop) -> None:
    """Ten visitors who look at three products of a category each, then at the home page."""
    known = shop.known
    rank = {item: n for n, item in enumerate(known.most_bought)}
    large = sorted(
        path for path, items in known.of_category.items()
        if len(items) >= 10 and rank.keys() & {*items} and not known.not_sold & {*items[:1]}
    )  # fmt: skip
    chosen = [large[n] for n in np.random.default_rng(0).permutation(len(large))[:CATEGORIES]]
    new, enough = [], []
    for path in chosen:
        items = sorted(
            (i for i in known.of_category[path] if i not in known.not_sold), key=lambda i: (rank.get(i, len(rank)), i)
        )
        page, looked = shop.visitor(), []
        for item in items:
            answer = page.goto(shop.address + product_path(item))
            looked += [item] if answer is not None and answer.status == 200 else []
            if len(looked) == LOOKS:
                break
        lists = [shown for shown in shop.lists(page, "/") if not is_seen(shown)]
        page.context.close()
        first = [each for shown in lists for each in ids(shown)][:FIRST]
        new.append(
            sum(
                path in known.leaves.get(each, ()) and not any(known.same(each, one) for one in looked)
                for each in set(first)
            )
        )
        enough.append(new[-1] >= 4)
    shop.figures.mean("after three looks: new products of that category in the first 12", new)
    shop.figures.share("after three looks: visitors with four or more", enough)


def carts(shop: Shop) -> None:
    """Ten visitors with a product in the cart: whether pages show it."""
    chosen, hits, shared = sampled(shop.known), [], []
    for item, other in zip(chosen[:CARTS], chosen[CARTS : 2 * CARTS], strict=True):
        page = shop.visitor()
        shop.lists(page, product_path(item))
        page.evaluate(
            """id => { const form = document.querySelector("form[data-do=buy]").elements.form.value;
            const body = new URLSearchParams({form, item_id: id, quantity: 1});
            return fetch('/shop/cart', {method: 'POST', body}) }""",
            item,
        )
        for path in ("/shop/cart", "/", product_path(other)):
            lists = shop.lists(page, path)
            hits.append(any(shop.known.same(item, each) for shown in lists for each in ids(shown)))
            shared.append(_between(shop.known, lists))
        page.context.close()
    shop.figures.share("pages that show what lies in the cart", hits)
    shop.figures.mean("groups on two shelves of a page, with something in the cart", shared)


def reasons(shop: Shop) -> None:
    """What the API names for 60 users, by slot."""
    known = shop.known
    users = [known.users[n] for n in np.random.default_rng(0).permutation(len(known.users))[:USERS]]
    for slot in SLOTS:
        named, itself, plausible = [], [], []
        for user in users:
            status, _, body = shop.ask(
                "/v1/recommendations", {"user_id": user, "slot": slot, "k": FIRST, "explain": True}
            )
            for place in json.loads(body)["items"] if status == 200 else ():
                events = (place["reason"] or {}).get("events") or []
                named.append(bool(events))
                itself += [known.same(each, place["id"]) for each in events]
                plausible += [
                    known.plausible(each, place["id"]) for each in events if not known.same(each, place["id"])
                ]
        shop.figures.share(f"reasons, slot {slot}: products that name an event", named)
        shop.figures.share(f"reasons, slot {slot}: events that are the product itself or its group", itself)
        shop.figures.share(f"reasons, slot {slot}: other events that are plausible", plausible)


def category_pages(shop: Shop) -> None:
    """Where the first card of a category begins, on a phone 844 pixels high."""
    page = shop.visitor("phone")
    page.goto(shop.address)
    paths = page.evaluate(
        "[...new Set([...document.querySelectorAll('a[href^=\"/shop/category/\"]')].map(a => a.pathname))]"
    )
    tops, words, holes = [], [], []
    for path in paths[:CATEGORIES]:
        lists = shop.lists(page, path)
        cards = [card for shown in lists for card in shown["cards"]]
        if cards:
            tops.append(cards[0]["top"])
            words += [card["over"] for card in cards]
            holes += [card["hole"] for card in cards]
    page.context.close()
    shop.figures.mean("category on a phone: top of the first card, px", tops)
    shop.figures.share("cards of categories on a phone with words beyond the card", words)
    shop.figures.share("cards of categories on a phone with an empty price row", holes)


def console(shop: Shop) -> None:
    """Whether the console shows a photo wherever the shop does."""
    shown = [item for item in sampled(shop.known) if _is_photo(shop, f"/photo/{quote(item, safe='')}")]
    shop.figures.share(
        "photos of the shop that the console shows",
        [_is_photo(shop, f"/console/photo?item={quote(item, safe='')}") for item in shown],
    )


def _is_photo(shop: Shop, path: str) -> bool:
    status, kind, _ = shop.ask(path)
    return status == 200 and kind.startswith("image/") and kind != "image/svg+xml"


def axe(shop: Shop) -> None:
    """Serious and critical findings on every page, in both schemes; the report too."""
    script = AXE.read_text(encoding="utf-8")
    first = sampled(shop.known)[0]
    paths = ["/", "/shop/categories", "/shop/search?q=a", product_path(first), "/shop/cart", "/shop/you", "/console"]
    counted: Counter[str] = Counter()
    for scheme in ("light", "dark"):
        page = shop.visitor(color_scheme=scheme, bypass_csp=True)
        page.goto(f"{shop.address}/console")
        links = (
            "[...document.querySelectorAll('nav a')].map(a => a.pathname).filter(path => path.startsWith('/console'))"
        )
        places = [shop.address + path for path in dict.fromkeys([*paths, *page.evaluate(links)])]
        if (shop.place / "report.html").exists():
            places.append((shop.place / "report.html").resolve().as_uri())
        page.goto(shop.address)
        category = page.locator("a[href^='/shop/category/']").first.get_attribute("href")
        for address in [*places, f"{shop.address}{category}"]:
            for each in _violations(page, address, script):
                if each["impact"] in {"serious", "critical"}:
                    where = (
                        address.replace(shop.address, "").partition("?")[0]
                        if "report.html" not in address
                        else "report.html"
                    )
                    counted[f"{each['id']} ({scheme}, {where})"] += len(each["nodes"])
        page.context.close()
    shop.figures.mean("axe: serious findings, all pages and schemes", [sum(counted.values())])
    for name, found in counted.items():
        print(f"  axe: {found} × {name}", file=sys.stderr)


def _violations(page: Page, address: str, script: str) -> list[Any]:
    """What axe finds; a page of the console that waits for its figures loads itself again meanwhile."""
    for _ in range(10):
        try:
            page.goto(address, wait_until="load")
            page.evaluate("settled()")
            page.evaluate(script)
            return list(page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"])
        except Error:
            page.wait_for_timeout(1_000)
    raise SystemExit(f"{address} never comes to rest")


def pace(shop: Shop) -> None:
    """First paint, layout shift and clicks, as pages.py has them."""
    chosen = sampled(shop.known)
    page = shop.visitor()
    page.goto(shop.address)
    category = page.locator("a[href^='/shop/category/']").first.get_attribute("href")
    page.context.close()
    pages.look(shop.browser, shop.address, "desk")  # both warm up
    for name, path in {
        "home": "/",
        "category": category,
        "product": product_path(chosen[0]),
        "cart": "/shop/cart",
    }.items():
        for size in pages.SIZES:
            looked = [pages.look(shop.browser, shop.address + str(path), size) for _ in range(3)]
            shop.figures.found[f"first contentful paint, {name}, {size}, ms"] = {
                "median": float(np.median([each[0] for each in looked])),
                "n": 3,
            }
            shop.figures.mean(f"layout shift, {name}, {size}", [each[1] for each in looked])
    times = defaultdict(list)
    for start in range(0, 20, 10):
        for name, ms in pages.clicks(shop.browser, shop.address, chosen[start : start + 10]):
            times[name].append(ms)
    for name, ms_each in times.items():
        shop.figures.found[f"{name} to shelves, ms"] = {"median": float(np.median(ms_each)), "n": len(ms_each)}


TASKS: dict[str, Callable[[Shop], None]] = {
    task.__name__: task for task in (products, home, looks, carts, reasons, category_pages, console, axe, pace)
}


def measured(place: Path, given: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """The report of a shop, after each task anew: one that fails leaves what there was."""
    known, state = Known.of(place), machine()
    with opened(place, given) as address, chromium() as browser:
        shop = Shop(address, place, known, browser)
        for name in given.only:
            began = time.monotonic()
            TASKS[name](shop)
            print(f"  {name}: {time.monotonic() - began:.0f} s", file=sys.stderr)
            yield {"figures": shop.figures.found, "machine": state, "browser": browser.version}


# What is printed


def written(figure: dict[str, float] | None, *, short: bool = False) -> str:
    """short: without n and interval, for several columns."""
    if figure is None:
        return "–"
    if "share" in figure:
        interval = "" if short else f" ({figure['low']:.0%} to {figure['high']:.0%}) of {figure['n']:,}"
        return f"{figure['share']:.0%}{interval}" if short else f"{figure['share']:.1%}{interval}"
    value = figure.get("mean", figure.get("median", 0.0))
    digits = 0 if abs(value) >= 100 else 4 if 0 < abs(value) < 0.1 else 2
    return f"{value:,.{digits}f}".removesuffix(".00")


def table(reports: Mapping[str, dict[str, Any]]) -> str:
    """Markdown: of each shop one column for each report, whose name stands in the head."""
    shops = list(dict.fromkeys(shop for report in reports.values() for shop in report))
    columns = [
        (f"{shop}, {name}".removesuffix(", "), report[shop]["figures"])
        for shop in shops for name, report in reports.items() if shop in report
    ]  # fmt: skip
    rows = list(dict.fromkeys(row for _, figures in columns for row in figures))
    lines = [f"| what | {' | '.join(name for name, _ in columns)} |", f"|---|{'--:|' * len(columns)}"]
    for row in rows:
        cells = (written(figures.get(row), short=len(columns) > 1) for _, figures in columns)
        lines.append(f"| {row} | {' | '.join(cells)} |")
    return "\n".join(lines)


def read(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SystemExit(f"{path} cannot be read: {error}; expected what --json wrote") from None
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("places", nargs="*", type=Path, metavar="OUT", help="folders of `endcap demo --out`")
    parser.add_argument(
        "--only", nargs="+", choices=TASKS, default=list(TASKS), metavar="TASK", help=f"of {', '.join(TASKS)}"
    )
    parser.add_argument("--address", help="of a shop that is open: that of the one OUT")
    parser.add_argument("--source", type=Path, help="src/ of other code, which then serves")
    parser.add_argument("--model", default="", help="of the comparison, to serve in place of the one it chose")
    parser.add_argument("--port", type=int, default=8180)
    parser.add_argument("--json", type=Path, help="where the figures go, beside those of other shops that it has")
    parser.add_argument("--table", nargs="+", type=Path, metavar="FILE", help="prints what --json wrote, side by side")
    given = parser.parse_args()
    if given.table:
        print(table({path.stem: read(path) for path in given.table}))
        return
    if not given.places or (given.address and len(given.places) > 1):
        parser.error("expected a folder of `endcap demo`, and only one with --address")
    if "axe" in given.only and not AXE.exists():
        raise SystemExit(
            f"there is no axe-core: npm install --prefix {AXE.parents[2]} axe-core@4, or leave it out by --only"
        )
    for place in given.places:
        if not (place / "summary.json").exists():
            raise SystemExit(f"{place} has no summary.json; make it by `endcap demo --out {place} --no-serve`")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that it leaves no server behind either
    reports: dict[str, Any] = read(given.json) if given.json and given.json.exists() else {}
    for place in given.places:
        print(f"{place.name} …", file=sys.stderr)
        before = reports.get(place.name, {}).get("figures", {})
        for report in measured(place, given):
            reports[place.name] = report | {"figures": before | report["figures"]}
            if given.json:
                given.json.write_text(json.dumps(reports, indent=2) + "\n", encoding="utf-8")
    print(table({"": {place.name: reports[place.name] for place in given.places}}))


if __name__ == "__main__":
    main()
