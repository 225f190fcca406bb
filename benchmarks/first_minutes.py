"""The first minutes of a newcomer: a fresh clone, `make demo`, a shop that is open, and one that is opened again.

`python benchmarks/first_minutes.py` clones this checkout (what is committed) into a new folder with empty caches of
packages and descriptions, and prints wall seconds to each step, sizes, what memory was taken at most, and how long the
shop takes to answer while models are trained beside it. `--keep-cache` leaves the cache of packages as it is.
"""

import argparse
import os
import signal
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil

ADDRESS = "http://127.0.0.1:8000"
WAIT = 1_800.0
"""Seconds for the shop to open."""
PAGES = 60
"""Home pages that are asked for while models are trained, at some five a second."""


def main() -> None:
    """Prints a line a step."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep-cache", action="store_true", help="packages that were fetched before are not again")
    given = parser.parse_args()
    if answers():
        raise SystemExit(f"something answers at {ADDRESS}; end it first")
    root = Path(__file__).parents[1]
    with tempfile.TemporaryDirectory(prefix="endcap-first-") as folder:
        clone, caches = Path(folder) / "endcap", Path(folder) / "cache"
        subprocess.run(["git", "clone", "--quiet", root, clone], check=True)
        environment = os.environ | {"ENDCAP_CACHE": str(caches / "endcap")}
        if not given.keep_cache:
            environment |= {"UV_CACHE_DIR": str(caches / "uv"), "PIP_CACHE_DIR": str(caches / "pip")}
        with demo(clone, environment) as (began, process):
            print(f"installed after {until(lambda: (clone / '.venv' / 'demo').exists(), process) - began:.0f} s")
            print(f"the shop is open after {until(answers, process) - began:.0f} s")
            home()
            print(f"its first page is there after {time.monotonic() - began:.0f} s")
            print(f"installed: {size(clone / '.venv'):,} MB; the demo's folder: {size(clone / 'demo'):,} MB")
            taken, times = memory(process), []
            for _ in range(PAGES):
                started = time.perf_counter()
                home()
                times.append(time.perf_counter() - started)
                taken = max(taken, memory(process))
                time.sleep(0.15)
            p50, p95 = 1_000 * np.quantile(times, [0.5, 0.95])
            print(f"a home page while models are trained: p50 {p50:.0f} ms, p95 {p95:.0f} ms of {PAGES}")
            print(f"memory of all processes, pages that they share counted for each: {taken:,.0f} MB at most so far")
        with demo(clone, environment) as (began, process):
            print(f"opened again after {until(answers, process) - began:.1f} s")
            home()
            print(f"its first page is there after {time.monotonic() - began:.1f} s")


@contextmanager
def demo(clone: Path, environment: dict[str, str]) -> Iterator[tuple[float, psutil.Process]]:
    """`make demo` in a clone, ended by Ctrl-C; when it was called, and its process."""
    began = time.monotonic()
    with (
        (clone.parent / "demo.log").open("w") as log,
        subprocess.Popen(
            ["make", "demo"], cwd=clone, env=environment, stdout=log, stderr=log, start_new_session=True
        ) as process,
    ):
        try:
            yield began, psutil.Process(process.pid)
        finally:
            os.killpg(process.pid, signal.SIGINT)
            process.wait()


def until(condition: Callable[[], bool], process: psutil.Process) -> float:
    """When it came true."""
    last = time.monotonic() + WAIT
    while not condition():
        if time.monotonic() > last or not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
            raise SystemExit("the demo ended, or did not open in time")
        time.sleep(0.1)
    return time.monotonic()


def answers() -> bool:
    """Whether a server there is ready."""
    try:
        with urllib.request.urlopen(f"{ADDRESS}/v1/health/ready", timeout=2) as answer:
            return answer.status == 200
    except OSError:
        return False


def home() -> None:
    """Asks for the home page, as somebody new."""
    with urllib.request.urlopen(ADDRESS, timeout=60) as answer:
        answer.read()


def size(folder: Path) -> int:
    """MB on disk; a file with several names counts once."""
    lines = subprocess.run(["du", "-sm", folder], capture_output=True, text=True, check=True).stdout
    return int(lines.split()[0])


def memory(process: psutil.Process) -> float:
    """MB of a process and all that it started."""
    taken = 0
    for each in (process, *process.children(recursive=True)):
        try:
            taken += each.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return taken / 1e6


if __name__ == "__main__":
    main()
