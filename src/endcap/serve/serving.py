"""What every request needs: the engine, and how requests come together before it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from typing import Annotated

from fastapi import Depends
from starlette.requests import Request

from endcap.data.errors import InputError
from endcap.engine.requests import Answer, Ask
from endcap.serve.access import Caller
from endcap.serve.config import ServeConfig
from endcap.serve.errors import Refused
from endcap.serve.gather import Gather
from endcap.serve.interface import Engine, Store
from endcap.serve.keys import PublicKey, rate_of
from endcap.serve.limits import Rates
from endcap.serve.metrics import Metrics
from endcap.serve.visitors import Claim, visitor_of
from endcap.store.records import Event, Visitor

MOST_AT_ONCE = 5_000
"""Events of one transaction, so that a request with a few does not wait for many large ones."""


@dataclass(frozen=True)
class Serving:
    """One for each worker."""

    engine: Engine
    config: ServeConfig
    rates: Rates
    metrics: Metrics
    recommend: Gather[Ask, Answer]
    page: Gather[Sequence[Ask], list[Answer | InputError]]
    record: Gather[Sequence[Event], list[bool]]

    @classmethod
    def of(cls, engine: Engine, config: ServeConfig) -> "Serving":
        """Recommendations share a call of the model, events a write to the disk."""

        def record(batches: Sequence[Sequence[Event]]) -> list[list[bool]]:
            new = iter(engine.record([event for events in batches for event in events]))
            return [list(islice(new, len(events))) for events in batches]

        def recommend(asks: Sequence[Ask]) -> Sequence[Answer | InputError]:
            return engine.recommend(asks)

        def pages(asked: Sequence[Sequence[Ask]]) -> list[list[Answer | InputError]]:
            return [engine.page(asks) for asks in asked]

        metrics = Metrics()
        sizes = {call: metrics.batches.labels(call).observe for call in ("recommend", "page", "record")}
        return cls(
            engine,
            config,
            Rates(),
            metrics,
            Gather(recommend, most=config.batch, waiting=config.waiting, on_batch=sizes["recommend"]),
            Gather(pages, most=config.batch, waiting=config.waiting, weigh=len, on_batch=sizes["page"]),
            Gather(record, most=MOST_AT_ONCE, waiting=config.waiting, weigh=len, on_batch=sizes["record"]),
        )

    @property
    def store(self) -> Store:
        """Raises Refused where there is none."""
        if self.engine.store is None:
            raise Refused(409, "no_database", "this server has no database; start it with --db")
        return self.engine.store

    def visitor(self, claim: Claim, caller: Caller) -> Visitor:
        """Who a request speaks for; raises Refused where it may not, or does so too often."""
        visitor = visitor_of(claim, caller, timedelta(days=self.config.visitor_days))
        if isinstance(caller.key, PublicKey):
            self.rates.check(rate_of(self.config.rate), ("visitor", visitor.session_id))
        return visitor

    def close(self) -> None:
        """Ends what runs, writes what waits."""
        self.recommend.close()
        self.page.close()
        self.record.close()
        self.engine.close()


def serving_of(request: Request) -> Serving:
    """The one of this worker."""
    found: Serving = request.app.state.serving
    return found


def caller_of(request: Request) -> Caller:
    """Who calls."""
    found: Caller = request.scope["caller"]
    return found


Here = Annotated[Serving, Depends(serving_of)]
By = Annotated[Caller, Depends(caller_of)]
