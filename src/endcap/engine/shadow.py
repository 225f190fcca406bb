"""A second model that answers unheard: how much its lists have in common with those that were shown."""

import logging
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from endcap.engine.requests import Answer

log = logging.getLogger(__name__)

WAITING = 8
"""Batches that wait; under load later ones are not compared, so that the live answers are not slowed down."""


@dataclass(frozen=True)
class Agreement:
    """Of a shadow with the live model."""

    lists: int = 0
    shared: float = 0.0  # mean share of a list's products that are in the other one too

    def with_list(self, live: Answer, shadow: Answer) -> "Agreement":
        """After one more list."""
        ids = {item.item_id for item in live.items}
        share = len(ids & {item.item_id for item in shadow.items}) / max(1, len(ids))
        return Agreement(self.lists + 1, self.shared + (share - self.shared) / (self.lists + 1))


class Shadow:
    """Compares in a thread of its own; `answer` takes the requests of a batch and gives the shadow's answers."""

    def __init__(self) -> None:
        self.agreement = Agreement()
        self._waiting: queue.Queue[Callable[[], Sequence[tuple[Answer, Answer]]] | None] = queue.Queue(WAITING)
        self._thread = threading.Thread(target=self._run, name="endcap-shadow", daemon=True)
        self._thread.start()

    def compare(self, pairs: Callable[[], Sequence[tuple[Answer, Answer]]]) -> None:
        """Takes what gives the live and the shadow's answers to some requests; leaves it out where too many wait."""
        try:
            self._waiting.put_nowait(pairs)
        except queue.Full:
            log.debug("a batch was not compared: the shadow is behind")

    def close(self) -> None:
        """Ends once all that waits is compared."""
        self._waiting.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (pairs := self._waiting.get()) is not None:
            try:
                for live, shadow in pairs():
                    self.agreement = self.agreement.with_list(live, shadow)
            except Exception:
                log.exception("the shadow model failed; the live one goes on")
