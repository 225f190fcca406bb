"""What the server asks of the engine and its store: `endcap.engine.Engine`, or a small one in a test."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from endcap.data.errors import InputError
from endcap.engine.alike import Likeness
from endcap.engine.engine import Beside
from endcap.engine.requests import Answer, Ask
from endcap.engine.searching import Hits, Sought
from endcap.engine.shelf import Shelf
from endcap.search.suggesting import Suggestions
from endcap.store.records import Event


class Store(Protocol):
    """People and rules, which routes read and change without the engine's help."""

    def ping(self) -> None:
        """Raises Unavailable where the database is away."""

    def export(self, user_id: str) -> dict[str, Any]:
        """Everything known of a user."""

    def forget(self, user_id: str, *, now: float) -> int:
        """Takes a user out; gives the number of events."""

    def rules(self) -> list[tuple[str, dict[str, Any]]]:
        """Ids and bodies."""

    def delete_rule(self, rule_id: str, *, by: str, now: float) -> int:
        """Gives the revision."""


class Engine(Protocol):
    """Methods may be called from any thread, and take batches where requests come together."""

    @property
    def store(self) -> Store | None:
        """None: lists alone."""

    @property
    def about(self) -> Mapping[str, Any]:
        """What runs here."""

    def recommend(self, asks: Sequence[Ask]) -> list[Answer | InputError]:
        """One result for each."""

    def page(self, asks: Sequence[Ask]) -> list[Answer | InputError]:
        """One result for each shelf of a page."""

    def similar(self, item_id: str, k: int, filter: str | None = None, *, by: Likeness = "content") -> Answer:  # noqa: A002
        """Raises InputError where the item is unknown."""

    def search(self, sought: Sought) -> Hits:
        """Raises InputError where the filter cannot be read."""

    def suggest(self, query: str, k: int) -> tuple[Shelf, Suggestions]:
        """What a query that is being typed may become."""

    def record(self, events: Sequence[Event]) -> list[bool]:
        """Durable when it returns; False: was there before."""

    def item(self, item_id: str) -> dict[str, Any]:
        """Its columns that have a value; nothing where the shop has no such product."""

    def put_items(self, rows: Sequence[Mapping[str, Any]], photos: Mapping[str, bytes] | None = None) -> int:
        """Gives the revision."""

    def delete_items(self, item_ids: Sequence[str]) -> int:
        """Gives the revision."""

    def put_rule(self, rule_id: str, body: Mapping[str, Any], *, by: str) -> int:
        """Gives the revision; raises InputError where the rule cannot be followed."""

    def refresh(self) -> None:
        """Takes over what is newer in the store."""

    def promote(self, path: Path, *, by: str) -> None:
        """Makes an artifact live."""

    def roll_back(self, *, by: str) -> None:
        """Makes the one before live."""

    def set_role(self, role: Beside, path: Path | None, *, share: float, by: str) -> None:
        """Puts an artifact beside the live one; None ends it."""

    def close(self) -> None:
        """Writes what waits."""
