"""Numbers that grow with every change of the catalogue, the rules and the models.

A sequence would give its numbers out before the commit: a writer that holds 7 may commit after the one that holds 8,
and a reader who has seen 8 never asks for 7. A row that is updated in the same transaction stays locked until that
commits, so the numbers become visible in their order.
"""

from sqlalchemy import Connection, bindparam, select, update

from endcap.store.records import Revisions
from endcap.store.tables import COUNTERS

_ALL = select(COUNTERS.c.name, COUNTERS.c.value)
_ONE = select(COUNTERS.c.value).where(COUNTERS.c.name == bindparam("counter")).with_for_update()
_NEXT = (
    update(COUNTERS)
    .where(COUNTERS.c.name == bindparam("counter"))
    .values(value=COUNTERS.c.value + 1)
    .returning(COUNTERS.c.value)
)


def revisions(connection: Connection) -> Revisions:
    """All counters."""
    return Revisions(**{row.name: row.value for row in connection.execute(_ALL)})


def held(connection: Connection, counter: str) -> int:
    """The counter as it is; until this transaction ends no other one changes what it counts."""
    return int(connection.execute(_ONE, {"counter": counter}).scalar_one())


def grown(connection: Connection, counter: str) -> int:
    """The counter, one higher, held likewise."""
    return int(connection.execute(_NEXT, {"counter": counter}).scalar_one())
