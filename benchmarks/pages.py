"""How the storefront feels: first contentful paint, what moves, what the widget weighs, how soon a click is on shelves.

    .venv/bin/python benchmarks/pages.py               # two minutes on two quiet cores
    .venv/bin/python benchmarks/pages.py --rounds 1    # briefly

In headless Chromium, against `endcap serve` with two workers on the same two cores, with the model of serving.py over
the 12,101 items of Amazon Beauty with made-up titles, brands and prices.

paint      First contentful paint of each page in a new context without a cache, as the browser reports it.
shift      Cumulative layout shift, from the start until the page's shelves are full and it was scrolled to its end.
click      From a click on "add to cart" until every shelf in the window shows the answer to it, painted; there are a
           request that writes the event to the disk and one for each shelf in between. New visitors, ten products each,
           who click when the pictures of the page are there.
next page  From a click on a product until the next page is there with full shelves.
"""

import argparse
import gzip
import json
import shutil
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np
from playwright.sync_api import Browser, Page, sync_playwright

from endcap import artifact as artifacts
from serving import OUT, TRAINED, database, endcap, machine, middle, spread, started, titled, trained

SIZES = {"desk": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}
PRODUCTS, CART = 60, 10  # in each round; of each visitor
WATCH = """
window.moved = 0;
new PerformanceObserver(list => {
  for (const each of list.getEntries()) if (!each.hadRecentInput) window.moved += each.value;
}).observe({type: 'layout-shift', buffered: true});
const near = () => [...document.querySelectorAll('endcap-shelf')]
  .filter(each => !each.hidden && each.getBoundingClientRect().top < innerHeight);
const first = shelf => shelf.shadowRoot?.querySelector('a')?.href;
window.lists = () => near().map(first);
window.full = before => new Promise((done, failed) => {
  setTimeout(() => failed(new Error('no full shelves after 30 s')), 30000);
  const look = () => {
    const now = near().map(first);
    const isNew = document.readyState !== 'loading' && now.every((href, place) => href && href !== before[place]);
    isNew ? requestAnimationFrame(() => done(performance.timeOrigin + performance.now())) : requestAnimationFrame(look);
  };
  look();
});
"""
CLICKED = """
addEventListener('click', () => sessionStorage.setItem('clicked', performance.timeOrigin + performance.now()),
  {capture: true, once: true});
"""

FOLLOW = """item => {
  const link = document.querySelector('endcap-shelf').shadowRoot.querySelector('a');
  link.href = `/shop/product/${item}`;
  link.click();
}"""


def opened(browser: Browser, size: str) -> Page:
    page = browser.new_context(viewport=SIZES[size], reduced_motion="reduce").new_page()
    page.add_init_script(WATCH)
    return page


def look(browser: Browser, address: str, size: str) -> tuple[float, float]:
    """(first contentful paint in ms, layout shift) of a page."""
    page = opened(browser, size)
    page.goto(address, wait_until="load")
    page.evaluate("full([])")
    for _ in range(20):
        page.mouse.wheel(0, 500)
        page.wait_for_timeout(50)
    page.evaluate("full([])")
    page.wait_for_timeout(200)
    paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    moved = page.evaluate("window.moved")
    page.context.close()
    return float(paint), float(moved)


def clicks(browser: Browser, address: str, items: list[str]) -> Iterator[tuple[str, float]]:
    """("click" or "next page", ms) of one new visitor who puts product after product into the cart and goes on."""
    page = opened(browser, "desk")
    page.goto(f"{address}/shop/product/{items[0]}")
    for following in (*items[1:], items[0]):
        page.evaluate("full([])")
        page.wait_for_load_state("networkidle")  # who clicks has looked: the pictures are there
        before = page.evaluate("lists()")
        page.evaluate(CLICKED)
        page.locator("form[data-do=buy] button").last.click()
        there = page.evaluate("before => full(before)", before)
        yield "click", there - float(page.evaluate("sessionStorage.getItem('clicked')"))
        page.evaluate(CLICKED)
        with page.expect_navigation(wait_until="commit"):
            page.evaluate(FOLLOW, following)
        there = page.evaluate("full([])")
        yield "next page", there - float(page.evaluate("sessionStorage.getItem('clicked')"))
    page.context.close()


def measured(rounds: int) -> dict[str, Any]:
    shop = titled(OUT / "serving-shop", trained().traits.known)
    ids = artifacts.load(TRAINED).vocabulary.ids
    random = np.random.default_rng(0)
    chosen = [ids[n] for n in random.choice(len(ids), PRODUCTS, replace=False)]
    paths = {"home": "/", "category": "/shop/category/Beauty", "product": f"/shop/product/{chosen[0]}",
             "cart": "/shop/cart"}  # fmt: skip
    paints, shifts, times = defaultdict(list), defaultdict(list), defaultdict(list)
    path = shutil.which("chromium") or shutil.which("google-chrome")
    with database("sqlite") as url, started(endcap(shop, url)) as server, sync_playwright() as playwright:
        address = f"http://127.0.0.1:{server.port}"
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        widget = len(gzip.compress(server.ask("/widget.js"), 9))
        look(browser, address, "desk")  # both warm up
        for _ in range(rounds):
            for name, each in paths.items():
                for size in SIZES:
                    paint, moved = look(browser, address + each, size)
                    paints[f"{name}, {size}"].append(paint)
                    shifts[f"{name}, {size}"].append(moved)
            for start in range(0, PRODUCTS, CART):
                for name, ms in clicks(browser, address, chosen[start : start + CART]):
                    times[name].append(ms)
        version = browser.version
    return {
        "browser": version,
        "widget_bytes": widget,
        "paint_ms": {name: middle(each) for name, each in paints.items()},
        "shift": {name: middle(each) for name, each in shifts.items()},
        "times_ms": {name: dict(zip(("p50", "p95", "p99"), np.percentile(each, [50, 95, 99]).tolist(), strict=True))
                     for name, each in times.items()},
        "clicks": {name: len(each) for name, each in times.items()},
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    OUT.mkdir(exist_ok=True)
    state = machine()
    found = measured(given.rounds) | {"machine": state}
    (OUT / "pages.json").write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    print(f"{state['cpu']}, {state['cores']} cores, load before: {state['load']}; Chromium {found['browser']}\n")
    print("| what | must reach | measured |\n|---|--:|--:|")
    for name, each in found["paint_ms"].items():
        print(f"| first contentful paint, {name} | ≤ 500 ms | {spread(each)} ms |")
    for name, each in found["shift"].items():
        print(f"| layout shift, {name} | ≤ .02 | {spread(each, '.4f')} |")
    print(f"| the widget, gzipped | ≤ 8,000 bytes | **{found['widget_bytes']:,}** |")
    for name, least in {"click": "p95 ≤ 100 ms", "next page": ""}.items():
        each = found["times_ms"][name]
        title = "click to shelves" if name == "click" else "click to the next page with its shelves"
        text = f"p50 {each['p50']:.0f}, **p95 {each['p95']:.0f}**, p99 {each['p99']:.0f} ms of {found['clicks'][name]}"
        print(f"| {title} | {least} | {text} |")


if __name__ == "__main__":
    main()
