"""Figures that take long: kept for some seconds, and made by one thread beside the requests."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

T = TypeVar("T")

WAIT = 1.0
"""Seconds that a page waits for a figure; then it is shown without, and asks again by itself."""

MOST = 200
"""Figures that are kept."""

OLD = 10
"""Times its age a figure may be given while it is made anew."""


FRESH = 60.0
"""Seconds that figures are kept, unless a page says otherwise: pages that are looked at together agree."""


@dataclass(frozen=True)
class Dated(Generic[T]):
    """A figure, and when it was begun."""

    value: T
    at: float  # seconds since 1970


@dataclass(frozen=True)
class _Kept:
    future: Future[Any]
    began: float  # by a clock that is never put back
    at: float


class Slow:
    """While a figure is made anew one not much older is given; one that failed is tried again at the next request."""

    def __init__(self, wait: float = WAIT) -> None:
        self._wait = wait
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="endcap-console")
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, _Kept] = OrderedDict()
        self._before: dict[Hashable, _Kept] = {}

    def get(self, key: Hashable, make: Callable[[], T], *, seconds: float) -> Dated[T] | None:
        """What `make` gives, as it was some `seconds` ago; None where it is not ready. Raises what `make` raises."""
        now = time.monotonic()
        with self._lock:
            kept = self._kept.get(key)
            if kept is None or (kept.future.done() and now - kept.began > seconds):
                kept = self._begin(key, kept, make)
            before = self._before.get(key)
        old: Dated[T] | None = None
        if before is not None and now - before.began < OLD * seconds:
            old = Dated(before.future.result(), before.at)
        try:
            found: T = kept.future.result(timeout=self._wait if old is None else 0)
        except TimeoutError:
            return old
        except Exception:
            with self._lock:
                self._kept.pop(key, None)
            raise
        return Dated(found, kept.at)

    def _begin(self, key: Hashable, before: _Kept | None, make: Callable[[], T]) -> _Kept:
        if before is not None and before.future.exception() is None:
            self._before[key] = before
        kept = self._kept[key] = _Kept(self._thread.submit(make), time.monotonic(), time.time())
        self._kept.move_to_end(key)
        if len(self._kept) > MOST:
            gone, _ = self._kept.popitem(last=False)
            self._before.pop(gone, None)
        return kept
