"""The tables. Whoever changes them writes a migration as well; a test compares the two."""

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)

METADATA = MetaData()

# Only INTEGER PRIMARY KEY is SQLite's own row number; it holds 64 bits there.
_ARRIVAL = BigInteger().with_variant(Integer, "sqlite")

DONE = "kind <> 'impression'"
"""What a visitor did; an impression is what the shop did. Queries that say it by these words have an index."""

EVENTS = Table(
    "events",
    METADATA,
    Column("id", _ARRIVAL, primary_key=True),  # the order of arrival
    Column("event_id", Text),
    Column("visitor", Text, nullable=False),  # visitors.key
    Column("item_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("time", Double, nullable=False),  # seconds since 1970
    Column("rating", Double),
    Column("price", Double),
    Column("quantity", Double),
    Column("recommendation_id", Text),
    Column("attributes", Text),  # JSON
    Index("events_event_id", "event_id", unique=True),
    Index("events_visitor", "visitor", "time", "id"),
    Index("events_done", "visitor", "time", "id", postgresql_where=text(DONE), sqlite_where=text(DONE)),
    Index(
        "events_recommendation_id",
        "recommendation_id",
        postgresql_where=text("recommendation_id IS NOT NULL"),
        sqlite_where=text("recommendation_id IS NOT NULL"),
    ),
)

SESSIONS = Table(
    "sessions",
    METADATA,
    Column("session_id", Text, primary_key=True),
    Column("user_id", Text, nullable=False),  # who logged in last
    Index("sessions_user_id", "user_id"),
)

FORGOTTEN = Table(
    "forgotten",
    METADATA,
    Column("visitor_hash", Text, primary_key=True),
    Column("time", Double, nullable=False),  # what happened until then is not taken in again
)

ITEMS = Table(
    "items",
    METADATA,
    Column("item_id", Text, primary_key=True),
    Column("body", Text),  # JSON; null: taken out of the shop
    Column("revision", BigInteger, nullable=False),
    Index("items_revision", "revision"),
)

VECTORS = Table(
    "vectors",
    METADATA,
    Column("encoders", Text, nullable=False),  # their fingerprint
    Column("item_id", Text, nullable=False),
    Column("vector", LargeBinary, nullable=False),
    # Items first: a new photo drops an item's vectors of all encoders.
    PrimaryKeyConstraint("item_id", "encoders"),
)

PHOTOS = Table(
    "photos",
    METADATA,
    Column("item_id", Text, primary_key=True),
    Column("jpeg", LargeBinary, nullable=False),
)

SHOWN = Table(
    "shown",
    METADATA,
    Column("recommendation_id", Text, primary_key=True),
    Column("visitor", Text, nullable=False),
    Column("time", Double, nullable=False),
    Column("slot", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("items", Text, nullable=False),  # JSON
    Column("experiment", Text),
    Column("arm", Text),
    Column("explored", Text, nullable=False),  # JSON
    Index("shown_visitor", "visitor"),
    Index("shown_time", "time", "recommendation_id"),
)

RULES = Table(
    "rules",
    METADATA,
    Column("rule_id", Text, primary_key=True),
    Column("body", Text, nullable=False),  # JSON
)

MODELS = Table(
    "models",
    METADATA,
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("share", Double, nullable=False),
    Column("since", Double, nullable=False),
    PrimaryKeyConstraint("name", "role"),
)

ODD = Table(
    "odd",
    METADATA,
    Column("item_id", Text, nullable=False),
    Column("column", Text, nullable=False),
    Column("value", Text, nullable=False),  # as it was found, for people
    Column("title", Text, nullable=False),
    Column("expected", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("score", Double, nullable=False),
    Column("right_by", Text),  # who called it right; null: nobody
    Column("right_at", Double),
    PrimaryKeyConstraint("item_id", "column", "value"),
)

CHANGES = Table(
    "changes",
    METADATA,
    Column("id", _ARRIVAL, primary_key=True),
    Column("time", Double, nullable=False),
    Column("by", Text, nullable=False),
    Column("what", Text, nullable=False),  # rule or model
    Column("name", Text, nullable=False),  # the rule's id, or the model's name and role
    Column("before", Text),  # JSON; null: it was not there
    Column("after", Text),  # JSON; null: it is gone
)

COUNTERS = Table(
    "counters",
    METADATA,
    Column("name", Text, primary_key=True),  # a field of Revisions
    Column("value", BigInteger, nullable=False),
)

SETTINGS = Table(
    "settings",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)
