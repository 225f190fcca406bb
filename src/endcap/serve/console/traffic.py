"""Requests, errors and times of the server, read off its metrics once a minute."""

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from prometheus_client.parser import text_string_to_metric_families

from endcap.data.vocabulary import Floats
from endcap.serve.metrics import SECONDS
from endcap.store.figures import Span

EVERY = 60.0
"""Seconds between two readings."""

API = "/v1/"
LISTS = "/v1/recommendations"


@dataclass(frozen=True)
class Route:
    """What a route has answered since the server started."""

    name: str
    requests: int
    refused: int  # 4xx
    failed: int  # 5xx
    buckets: tuple[float, ...]  # answers within SECONDS each, then all


@dataclass(frozen=True)
class Reading:
    """All routes at a moment."""

    time: float
    routes: Mapping[str, Route]

    def totals(self) -> Floats:
        """(3 + buckets,) requests, refused and failed of the API, then the buckets of lists."""
        api = [route for name, route in self.routes.items() if name.startswith(API)]
        own = self.routes.get(LISTS)
        buckets = own.buckets if own else (0.0,) * (len(SECONDS) + 1)
        return np.array(
            [sum(route.requests for route in api), sum(route.refused for route in api),
             sum(route.failed for route in api), *buckets]
        )  # fmt: skip


class Traffic:
    """Readings of the last day by the minute and of the last month by the hour, in the memory of this process."""

    def __init__(self, page: Callable[[], bytes]) -> None:
        self._page = page
        self._due = 0.0
        self._lock = threading.Lock()
        self._minutes: deque[Reading] = deque(maxlen=1_450)
        self._hours: deque[Reading] = deque(maxlen=750)

    def due(self) -> bool:
        """Whether a minute has passed; it is asked at every request, and counts from the answer yes."""
        now = time.monotonic()
        if now < self._due:
            return False
        self._due = now + EVERY
        return True

    def read(self) -> Reading:
        """What the metrics say now."""
        return Reading(time.time(), routes_of(self._page().decode()))

    def keep(self) -> None:
        """Reads the metrics for the course of things."""
        found = self.read()
        with self._lock:
            self._minutes.append(found)
            if not self._hours or found.time - self._hours[-1].time >= 3_600:
                self._hours.append(found)

    def during(self, span: Span, last: Reading) -> Floats | None:
        """(steps, 3 + buckets) what was added in each step until the last reading, NaN before the first.

        None where there is no other reading than the last.
        """
        with self._lock:
            kept = [*self._minutes] if span.step <= 3_600 else [*self._hours]
        readings = [*(each for each in kept if each.time < last.time), last]
        if len(readings) < 2:
            return None
        edges = span.since + span.step * np.arange(span.n + 1)
        times = np.array([each.time for each in readings])
        totals = np.array([each.totals() for each in readings])
        # The counts of a process that ended are gone from the sum: nothing was taken back.
        totals = np.concatenate([totals[:1], totals[:1] + np.maximum(np.diff(totals, axis=0), 0).cumsum(axis=0)])
        at = np.stack([np.interp(edges, times, column) for column in totals.T], axis=1)
        added = np.diff(at, axis=0)
        added[(edges[1:] <= times[0]) | (edges[:-1] >= times[-1])] = np.nan
        return added


def routes_of(text: str) -> dict[str, Route]:
    """The routes of a page for Prometheus."""
    counts: dict[str, dict[str, int]] = {}
    buckets: dict[str, dict[float, float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == "endcap_requests_total":
                own = counts.setdefault(sample.labels["route"], dict.fromkeys(("all", "4", "5"), 0))
                own["all"] += int(sample.value)
                if (status := sample.labels["status"][:1]) in own:
                    own[status] += int(sample.value)
            elif sample.name == "endcap_request_seconds_bucket":
                buckets.setdefault(sample.labels["route"], {})[float(sample.labels["le"])] = sample.value
    return {
        name: Route(name, own["all"], own["4"], own["5"], tuple(v for _, v in sorted(buckets.get(name, {}).items())))
        for name, own in counts.items()
    }


def quantile(buckets: Sequence[float], share: float) -> float | None:
    """The time within which a share of the answers came, by a straight line within its bucket; None of no answer.

    buckets: how many came within each of SECONDS, and all. Beyond the last of SECONDS nothing is told apart.
    """
    if not buckets or not buckets[-1] > 0:
        return None
    wanted, edges = share * buckets[-1], (0.0, *SECONDS)
    for (low, high), (before, within) in zip(pairwise(edges), pairwise((0.0, *buckets[:-1])), strict=True):
        if within >= wanted:
            return low + (high - low) * ((wanted - before) / (within - before) if within > before else 0.0)
    return SECONDS[-1]
