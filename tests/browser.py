"""A browser for tests: Chromium by Playwright, and servers for it. Where one of them is absent, tests are skipped."""

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn

SIZES = {"desk": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}
CANDIDATES = ("chromium", "chromium-browser", "google-chrome")

Open = Callable[..., Any]
"""`open_page(width="desk", scheme="light", language="en-US")` is a Playwright page in a context of its own."""


# Not for a session: while Playwright runs, its thread has an event loop, and other tests want one of their own.
@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium at $CHROMIUM, else where it usually is."""
    playwright = pytest.importorskip("playwright.sync_api", reason="there is no Playwright: pip install playwright")
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, CANDIDATES)), None)
    if path is None:
        pytest.skip("there is no Chromium: install it, or name it in $CHROMIUM")
    with playwright.sync_playwright() as running:
        # Pages of another origin may ask a server on this machine, as they would ask one elsewhere.
        arguments = ["--no-sandbox", "--disable-features=LocalNetworkAccessChecks"]
        opened = running.chromium.launch(executable_path=path, args=arguments)
        yield opened
        opened.close()


@pytest.fixture
def open_page(browser: Any) -> Iterator[Open]:
    """Pages whose errors, those of the content security policy among them, fail the test; see `page.problems`."""
    contexts, pages = [], []

    def opened(width: str = "desk", scheme: str = "light", language: str = "en-US", **more: Any) -> Any:
        context = browser.new_context(viewport=SIZES[width], color_scheme=scheme, locale=language, **more)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.problems = []
        page.on("pageerror", lambda error: page.problems.append(str(error)))
        page.on("console", lambda said: page.problems.append(said.text) if said.type == "error" else None)
        contexts.append(context)
        pages.append(page)
        return page

    yield opened
    problems = [problem for page in pages for problem in page.problems]
    for context in contexts:
        context.close()
    if problems:
        pytest.fail("\n".join(dict.fromkeys(problems)))


@contextmanager
def served(app: Any) -> Iterator[str]:
    """The address of an application that runs in a thread."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, lifespan="on"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
            if not thread.is_alive():
                raise RuntimeError("the server did not start")
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="session")
def axe() -> str:
    """The script of axe-core, by npm, kept in the cache."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "endcap-tests"
    script = cache / "node_modules" / "axe-core" / "axe.min.js"
    if not script.exists():
        npm = shutil.which("npm")
        if npm is None:
            pytest.skip("there is no npm to get axe-core by")
        cache.mkdir(parents=True, exist_ok=True)
        command = [npm, "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(cache), "axe-core@4"]
        if subprocess.run(command, capture_output=True, timeout=120, check=False).returncode:
            pytest.skip("npm could not get axe-core")
    return script.read_text(encoding="utf-8")


def faults(page: Any, axe: str, *rules: str) -> list[str]:
    """What axe-core finds that is serious, by some rules or all; the page's own policy stays in force."""
    page.evaluate(axe)
    options = {"resultTypes": ["violations"]} | ({"runOnly": list(rules)} if rules else {})
    found = page.evaluate("options => axe.run(document, options)", options)["violations"]
    return [
        f"{each['id']}: {node['target']} {node['failureSummary']}"
        for each in found if each["impact"] in {"serious", "critical"} for node in each["nodes"]
    ]  # fmt: skip


def cut(page: Any) -> list[str]:
    """The texts of plots that leave their plot, by the fonts of this browser."""
    found: list[str] = page.evaluate("""() => [...document.querySelectorAll('svg[role=img]')].flatMap(plot => {
        const most = plot.getBoundingClientRect();
        return [...plot.querySelectorAll('text')].filter(each => {
            const box = each.getBoundingClientRect();
            return box.width && (box.left < most.left - .5 || box.right > most.right + .5
                || box.top < most.top - .5 || box.bottom > most.bottom + .5);
        }).map(each => each.textContent);
    })""")
    return found


def count_shifts(page: Any) -> None:
    """From the next page on, `shifts` knows how much has moved."""
    page.add_init_script(
        "window.shifted = 0; new PerformanceObserver(list => { for (const each of list.getEntries())"
        " if (!each.hadRecentInput) window.shifted += each.value }).observe({type: 'layout-shift', buffered: true})"
    )


def shifts(page: Any) -> float:
    """The cumulative layout shift so far."""
    return float(page.evaluate("window.shifted"))
