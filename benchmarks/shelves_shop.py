"""A shop that is measured: how it is opened, what a visitor of it is, what was counted."""

import argparse
import inspect
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Browser, Error, Page, sync_playwright
from scipy.stats import binomtest

import pages
from endcap import artifact as artifacts
from endcap.demo import stock
from endcap.serve import commands
from endcap.serve.config import ServeConfig
from endcap.serve.run import free_port
from endcap.serve.run import serve as run
from endcap.serve.storefront.config import StorefrontConfig
from endcap.store.store import Store
from shelves_known import Known

SCRIPT = (Path(__file__).parent / "shelves.js").read_text(encoding="utf-8")
OPENING = 600.0  # seconds in which a shop must be open: its log is written first

List = dict[str, Any]


@dataclass
class Figures:
    """What was counted: name -> a share of n with its interval, or a mean."""

    found: dict[str, dict[str, float]] = field(default_factory=dict)

    def share(self, name: str, hits: Sequence[bool]) -> None:
        """With the Wilson interval; cards of one page are alike, so it is rather too narrow."""
        if hits:
            interval = binomtest(sum(hits), len(hits)).proportion_ci(method="wilson")
            low, high = float(interval.low), float(interval.high)
            self.found[name] = {"share": sum(hits) / len(hits), "n": len(hits), "low": low, "high": high}

    def mean(self, name: str, values: Sequence[float]) -> None:
        """Of pages or users."""
        if values:
            self.found[name] = {"mean": float(np.mean(values)), "n": len(values), "most": float(np.max(values))}


@dataclass(frozen=True)
class Shop:
    """A shop that is open, and what is known of it."""

    address: str
    place: Path
    known: Known
    browser: Browser
    figures: Figures = field(default_factory=Figures)

    def visitor(self, size: str = "desk", **more: Any) -> Page:
        """A page in a context of its own: somebody new."""
        context = self.browser.new_context(viewport=pages.SIZES[size], reduced_motion="reduce", locale="en-US", **more)
        page = context.new_page()
        page.add_init_script(pages.WATCH + SCRIPT)
        return page

    def lists(self, page: Page, path: str) -> list[List]:
        """The lists of cards of a page, from its top."""
        answer = page.goto(self.address + path, wait_until="load")
        if answer is None or answer.status != 200:
            raise LookupError(path)
        page.evaluate("settled()")
        return page.evaluate("lists()")

    def ask(self, path: str, body: Any = None) -> tuple[int, str, bytes]:
        """(status, content type, body) of an answer."""
        data = None if body is None else json.dumps(body).encode()
        asked = urllib.request.Request(self.address + path, data, {"Content-Type": "application/json"} if data else {})
        try:
            with urllib.request.urlopen(asked, timeout=60) as answer:
                return answer.status, answer.headers.get_content_type(), answer.read()
        except urllib.error.HTTPError as error:
            return error.code, "", b""


def serve(place: Path, port: int, model: str) -> None:
    """The end of `endcap demo`, with what lies in its folder, also by code that knew one model and no roles.

    model: its name, or nothing: the one that the demo would open with.
    """
    summary = json.loads((place / "summary.json").read_text(encoding="utf-8"))["strict"]
    summary = {"serves": summary["chosen"], "intents": {}} | summary  # an older comparison has neither
    summary |= {"serves": model} if model else {}
    data = artifacts.load(place / "models" / summary["serves"]).config.data
    earlier = inspect.signature(commands.open_shop).parameters
    if "configs" not in earlier:  # code that opened a shop at the end of a comparison
        given = summary["serves"] if "model" in earlier else summary
        commands.open_shop(place, given, data, port)  # type: ignore[call-arg, arg-type]
        return
    stocked = stock(place, data)
    folder = place / "models" / summary["serves"]
    store = Store.open(stocked.db)
    for role, choice in summary["intents"].items():
        other = choice["model"] != summary["serves"]
        path = str((place / "models" / choice["model"]).resolve()) if other else None
        store.set_model(folder.name, role, path, by="benchmark", now=time.time())
    store.close()
    shop = StorefrontConfig(demo=True, households=stocked.households)
    run(ServeConfig(out=folder, db=stocked.db, port=port, storefront=True, shop=shop))


def is_open(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/v1/health/ready", timeout=10) as answer:
            return answer.status == 200
    except OSError:
        return False


@contextmanager
def opened(place: Path, given: argparse.Namespace) -> Iterator[str]:
    """The address of the shop in a folder, that of the options or one that is started."""
    if given.address:
        address = given.address.rstrip("/")
        if not is_open(address):
            raise SystemExit(f"no shop answers at {address}; start one with `endcap demo`, or leave --address out")
        yield address
        return
    port = free_port("127.0.0.1", given.port)
    sources = {"PYTHONPATH": str(given.source.resolve())} if given.source else {}
    process = subprocess.Popen(
        [sys.executable, __file__, place, str(port), given.model], stdout=sys.stderr, env=os.environ | sources
    )
    try:
        until = time.monotonic() + OPENING
        while not is_open(f"http://127.0.0.1:{port}"):
            if process.poll() is not None or time.monotonic() > until:
                raise SystemExit(f"the shop in {place} did not open; what it said stands above")
            time.sleep(1)
        time.sleep(5)  # it warms up in the background
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


@contextmanager
def chromium() -> Iterator[Browser]:
    names = ("chromium", "chromium-browser", "google-chrome")
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if path is None:
        raise SystemExit("there is no Chromium: install it (apt-get install -y chromium), or name it in $CHROMIUM")
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        except Error as error:
            raise SystemExit(f"Chromium at {path} does not start: {error.message.splitlines()[0]}") from None
        yield browser
        browser.close()


if __name__ == "__main__":
    serve(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
