"""The store: what happens while the shop is open, in one database that any number of servers share."""

import hmac
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

import pyarrow as pa
from sqlalchemy import Connection, select
from sqlalchemy.exc import DatabaseError

from endcap.data.errors import InputError
from endcap.store import checks, counters, items, models, odd, rules, shown, visitors
from endcap.store import events as log
from endcap.store.database import Database, connect
from endcap.store.migrate import migrate
from endcap.store.records import Event, Happened, ItemChange, OddRow, Revisions, Shown, Visitor
from endcap.store.tables import SETTINGS
from endcap.store.visitors import check_ids

T = TypeVar("T")


class Store:
    """Each method is one transaction, done and on disk when it returns, and may be called by any thread.

    All raise Unavailable where the database cannot be reached, and InputError where what is given cannot be kept.
    """

    def __init__(self, database: Database, salt: bytes) -> None:
        self._database, self._salt = database, salt

    @classmethod
    def open(cls, url: str) -> "Store":
        """Opens a database, its tables made or migrated: `shop.db`, `sqlite:///shop.db` or `postgresql://…`.

        Raises InputError where the address or the database is a wrong one, Unavailable where it cannot be reached.
        """
        database = Database(connect(url))
        try:
            database.write(migrate)
            return cls(database, database.read(_salt))
        except DatabaseError as error:  # a damaged file, no right to make tables
            database.close()
            raise InputError(f"the database cannot be used: {str(error.orig).splitlines()[0]}") from error
        except Exception:
            database.close()
            raise

    def close(self) -> None:
        """Closes the connections."""
        self._database.close()

    def ping(self) -> None:
        """Raises Unavailable where the database does not answer."""
        self._database.read(counters.revisions)

    def read(self, work: Callable[[Connection], T], *, whole: bool = False) -> T:
        """What `work` finds with a connection, which it may only read with: what figures.py sums up.

        whole: all its statements see the same moment, and none is cut off for taking long. `work` may be called again
        where the connection broke.
        """
        return self._database.read(work, whole=whole)

    def secret(self, purpose: str) -> bytes:
        """A key that every server of this database has, and nobody else: to sign with, for one purpose."""
        return hmac.digest(self._salt, purpose.encode(), "sha256")

    # Events

    def record(self, events: Sequence[Event], *, now: float) -> list[bool]:
        """Whether each event is new: its event_id was not there before, its visitor not forgotten since it happened."""
        return self._record(events, now)[0]

    def load(self, events: Sequence[Event], *, now: float) -> tuple[int, int]:
        """As `record`, but counts: how many are new, and how many were left out because their visitor was forgotten."""
        new, forgotten = self._record(events, now)
        return sum(new), forgotten

    def _record(self, events: Sequence[Event], now: float) -> tuple[list[bool], int]:
        rows = log.rows(events, now)
        return self._database.write(lambda connection: log.record(connection, events, rows, self._salt))

    def histories(self, visitors: Sequence[Visitor], *, last: int = 1000, shown: bool = False) -> list[list[Happened]]:
        """What each visitor did, at most the `last` events, oldest first: by time, then in the order of arrival.

        shown: with the impressions, which a visitor gets more of than they do.
        """
        for visitor in visitors:
            check_ids(visitor)
        return self._database.read(lambda connection: log.histories(connection, visitors, last, shown=shown))

    def identify(self, visitor: Visitor) -> None:
        """A session (both ids given) is the user's from now on; what it did while nobody's becomes the user's too."""
        visitors.check(visitor)
        if visitor.user_id is None or visitor.session_id is None:
            raise InputError("found one id; expected user_id and session_id, to say whose the session is")
        self._database.write(lambda connection: visitors.identify(connection, visitor))

    def events_table(self, *, since: float | None = None) -> pa.Table:
        """All events with the columns of data.schema.EVENT_COLUMNS but `part`, sorted by time; `row` from 1.

        user_id is the user's id, or `session:` and the session's id for what nobody has logged in for.
        """
        return self._database.read(lambda connection: log.table(connection, since), whole=True)

    def results(self, recommendation_ids: Sequence[str]) -> pa.Table:
        """The events that name one of these lists: recommendation_id, user_id, item_id, kind, time, rating, price,
        quantity, sorted by time."""
        _check("recommendation_id", recommendation_ids)
        return self._database.read(lambda connection: log.results(connection, recommendation_ids))

    def events_of_lists(self, *, since: float | None = None) -> pa.Table:
        """The events that name any list, as `results` has them."""
        return self._database.read(lambda connection: log.of_lists(connection, since), whole=True)

    # People

    def export(self, user_id: str) -> dict[str, Any]:
        """Everything known of a user, as JSON has it; all empty where nothing is."""

        def found(connection: Connection) -> dict[str, Any]:
            return {
                "user_id": user_id,
                "events": log.export(connection, user_id),
                "sessions": visitors.sessions_of(connection, user_id),
                "lists": shown.export(connection, user_id),
            }

        checks.identifier("user_id", user_id)
        return self._database.read(found, whole=True)

    def forget(self, user_id: str, *, now: float) -> int:
        """Takes out a user's events, sessions and lists; returns how many events.

        Only a salted hash of the id stays, so that events from before are not taken in again.
        """
        checks.identifier("user_id", user_id)
        checks.time("now", now)
        return self._database.write(lambda connection: visitors.forget(connection, user_id, now, self._salt))

    # The catalogue

    def revisions(self) -> Revisions:
        """How often the catalogue, the rules and the models have changed."""
        return self._database.read(counters.revisions)

    def put_items(self, rows: Sequence[Mapping[str, Any]]) -> int:
        """Merges rows into what is there: each has item_id; a column given replaces that of before, None clears it.

        Rows that change nothing are left alone. Returns the revision.
        """
        given = items.check(rows)
        return self._database.write(lambda connection: items.put(connection, given))

    def delete_items(self, item_ids: Sequence[str]) -> int:
        """Takes items out of the shop, known ones or not; returns the revision."""
        _check("item_id", item_ids)
        return self._database.write(lambda connection: items.take_out(connection, item_ids))

    def items_since(self, revision: int) -> list[ItemChange]:
        """The items that changed after a revision, as they are now, in the order of their last change."""
        return self._database.read(lambda connection: items.since(connection, revision))

    def put_vectors(self, encoders: str, vectors: Mapping[str, bytes]) -> None:
        """Keeps what an artifact's encoders (by their fingerprint) say of products, in the catalogue yet or not."""
        items.check_encoders(encoders)
        _check("item_id", vectors)
        self._database.write(lambda connection: items.put_vectors(connection, encoders, vectors))

    def vectors(self, encoders: str, item_ids: Sequence[str]) -> dict[str, bytes]:
        """What `put_vectors` kept, of the items that it has."""
        _check("item_id", item_ids)
        return self._database.read(lambda connection: items.vectors(connection, encoders, item_ids))

    def put_photo(self, item_id: str, jpeg: bytes) -> int:
        """Keeps a photo; its product counts as changed, and loses its vectors. Returns the revision."""
        checks.identifier("item_id", item_id)
        return self._database.write(lambda connection: items.put_photo(connection, item_id, jpeg))

    def photos(self, item_ids: Sequence[str]) -> dict[str, bytes]:
        """The photos there are."""
        _check("item_id", item_ids)
        return self._database.read(lambda connection: items.photos(connection, item_ids))

    # Lists

    def log_shown(self, lists: Sequence[Shown]) -> None:
        """Keeps lists that were given; one that is there already stays as it was."""
        rows = shown.rows(lists)
        self._database.write(lambda connection: shown.log(connection, lists, rows))

    def shown(self, *, since: float | None = None) -> Iterator[Shown]:
        """The lists, oldest first, read page by page."""
        after = (float("-inf") if since is None else since, "")
        while page := self._database.read(partial(shown.page, after=after)):
            yield from page
            after = (page[-1].time, page[-1].recommendation_id)

    # Rules

    def rules(self) -> list[tuple[str, dict[str, Any]]]:
        """The published rules: id and body, by id."""
        return self._database.read(rules.published)

    def put_rule(self, rule_id: str, body: Mapping[str, Any], *, by: str, now: float) -> int:
        """Publishes a rule; returns the revision."""
        checks.identifier("rule_id", rule_id)
        text = checks.json_text("the rule", dict(body))
        return self._database.write(lambda connection: rules.put(connection, rule_id, text, by, now))

    def offer_rule(self, rule_id: str, body: Mapping[str, Any], *, by: str, now: float) -> bool:
        """Publishes a rule unless there ever was one with this id, changed or taken back since; whether it did."""
        checks.identifier("rule_id", rule_id)
        text = checks.json_text("the rule", dict(body))
        return self._database.write(lambda connection: rules.offer(connection, rule_id, text, by, now))

    def delete_rule(self, rule_id: str, *, by: str, now: float) -> int:
        """Takes a rule back; returns the revision, which stays where there was no such rule."""
        checks.identifier("rule_id", rule_id)
        return self._database.write(lambda connection: rules.take_out(connection, rule_id, by, now))

    def changes(self, last: int = 100) -> list[dict[str, Any]]:
        """Who changed which rule or model, and when, newest first: time, by, what, name, before, after."""
        return self._database.read(lambda connection: rules.changes(connection, last))

    # Odd rows of the catalogue

    def odd_state(self) -> dict[str, Any]:
        """Which catalogue was looked through for odd rows (of), when (at), whether it is done; empty: none yet."""
        return self._database.read(odd.state)

    def claim_odd(self, of: str, *, now: float, pause: float) -> bool:
        """Whether the caller is to look through a catalogue: it was not yet, and nobody began in the last `pause`."""
        return self._database.write(lambda connection: odd.claim(connection, of, now, pause))

    def put_odd(self, of: str, rows: Sequence[OddRow], *, now: float) -> None:
        """Keeps the odd rows of a catalogue in place of those before; what was called right stays so."""
        self._database.write(lambda connection: odd.put(connection, of, rows, now))

    def odd_rows(self) -> list[OddRow]:
        """All that are kept, the surest first; `right_by` says which are called right."""
        return self._database.read(odd.all_rows)

    def set_right(self, item_id: str, column: str, value: str, *, by: str, now: float) -> bool:
        """Calls an odd row right, for good; False where there is no such row."""
        return self._database.write(lambda connection: odd.set_right(connection, (item_id, column, value), by, now))

    # Models

    def models(self, name: str) -> dict[str, dict[str, Any]]:
        """Role (live, previous, shadow, candidate) -> path, since, share; by the name of the folder that is served."""
        checks.identifier("name", name)
        return self._database.read(lambda connection: models.places(connection, name))

    def set_model(
        self,
        name: str,
        role: str,
        path: str | None,
        *,
        share: float = 0.0,
        by: str,
        now: float,
        about: Mapping[str, Any] | None = None,
    ) -> int:
        """Gives a role to an artifact, None to none; what was live becomes the previous one. Returns the revision.

        about: what the log of changes says besides, such as the plan of a test.
        """
        models.check(name, role, path, share)
        place = None if path is None else {"path": path, "since": checks.time("now", now), "share": float(share)}
        return self._database.write(lambda connection: models.put(connection, name, role, place, by, now, about or {}))


def _check(name: str, ids: Iterable[str]) -> None:
    for each in ids:
        checks.identifier(name, each)


def _salt(connection: Connection) -> bytes:
    found = connection.execute(select(SETTINGS.c.value).where(SETTINGS.c.name == "salt")).scalar_one()
    return bytes.fromhex(found)
