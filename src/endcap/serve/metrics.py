"""Counts and times for Prometheus, of all workers together; and what the engine of the one that is asked says."""

import os
import time
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest, values
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from endcap.serve.asgi import for_http
from endcap.serve.interface import Engine

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""The variable that names the folder in which several workers count."""
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
METHODS = ("GET", "POST", "PUT", "DELETE", "OPTIONS")
SIZES = (1, 2, 4, 8, 16, 32, 64, 128)


class Metrics:
    """What is counted; with few labels, for each of them is kept for every value."""

    def __init__(self) -> None:
        # prometheus_client chose at its import; a forked worker learns only now that there are several.
        values.ValueClass = values.get_value_class()  # type: ignore[no-untyped-call]
        own = self._registry = CollectorRegistry()
        labels = ("method", "route", "status")
        self.requests = Counter("endcap_requests", "Requests that were answered.", labels, registry=own)
        self.seconds = Histogram("endcap_request_seconds", "Time to answer.", ("route",), buckets=SECONDS, registry=own)
        self.batches = Histogram("endcap_batch_size", "Requests in a call.", ("call",), buckets=SIZES, registry=own)
        self.events = Counter("endcap_events", "Events: accepted, duplicate.", ("result",), registry=own)

    def page(self, engine: Engine) -> bytes:
        """The text that Prometheus reads."""
        registry = self._registry
        if FOLDER in os.environ:
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        about = CollectorRegistry()
        about.register(_About(engine))
        return generate_latest(registry) + generate_latest(about)


class _About(Collector):
    """Numbers that the engine has anyway."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def collect(self) -> Iterator[Metric]:
        about = self.engine.about
        models = GaugeMetricFamily("endcap_model", "The versions that answer.", labels=("role", "version"))
        for role, version in about.get("models", {}).items():
            models.add_metric((role, str(version)), 1)
        revisions = GaugeMetricFamily("endcap_revision", "Changes that were taken over.", labels=("of",))
        for name, revision in about.get("revisions", {}).items():
            revisions.add_metric((name,), revision)
        yield from (models, revisions)
        yield GaugeMetricFamily("endcap_items", "Products in the shop.", value=about.get("items", 0))
        shadow = about.get("shadow") or {}
        yield GaugeMetricFamily(
            "endcap_shadow_lists", "Lists that a shadow answered too.", value=shadow.get("lists", 0)
        )
        yield GaugeMetricFamily(
            "endcap_shadow_shared", "Share of a list that the shadow's has too.", value=shadow.get("shared", 0.0)
        )


def measured(app: ASGIApp, metrics: Metrics) -> ASGIApp:
    """Middleware: counts and times every request by its route, never by its path."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        began, status = time.perf_counter(), 500

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await app(scope, receive, sending)
        finally:
            route = getattr(scope.get("route"), "path", "other")
            method = scope["method"] if scope["method"] in METHODS else "other"
            metrics.requests.labels(method, route, status).inc()
            metrics.seconds.labels(route).observe(time.perf_counter() - began)

    return for_http(app, serve)
