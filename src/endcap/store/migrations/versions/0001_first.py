"""The first tables."""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the tables, the counters at 0, and the salt of the forgotten."""
    arrival = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "events",
        sa.Column("id", arrival, primary_key=True),
        sa.Column("event_id", sa.Text),
        sa.Column("visitor", sa.Text, nullable=False),
        sa.Column("item_id", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("time", sa.Double, nullable=False),
        sa.Column("rating", sa.Double),
        sa.Column("price", sa.Double),
        sa.Column("quantity", sa.Double),
        sa.Column("recommendation_id", sa.Text),
        sa.Column("attributes", sa.Text),
    )
    op.create_index("events_event_id", "events", ["event_id"], unique=True)
    op.create_index("events_visitor", "events", ["visitor", "time", "id"])
    given = sa.text("recommendation_id IS NOT NULL")
    op.create_index(
        "events_recommendation_id", "events", ["recommendation_id"], postgresql_where=given, sqlite_where=given
    )
    op.create_table(
        "sessions",
        sa.Column("session_id", sa.Text, primary_key=True),
        sa.Column("user_id", sa.Text, nullable=False),
    )
    op.create_index("sessions_user_id", "sessions", ["user_id"])
    op.create_table(
        "forgotten",
        sa.Column("visitor_hash", sa.Text, primary_key=True),
        sa.Column("time", sa.Double, nullable=False),
    )
    _catalogue()
    _lists()
    _settings()


def _catalogue() -> None:
    op.create_table(
        "items",
        sa.Column("item_id", sa.Text, primary_key=True),
        sa.Column("body", sa.Text),
        sa.Column("revision", sa.BigInteger, nullable=False),
    )
    op.create_index("items_revision", "items", ["revision"])
    op.create_table(
        "vectors",
        sa.Column("encoders", sa.Text, nullable=False),
        sa.Column("item_id", sa.Text, nullable=False),
        sa.Column("vector", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("item_id", "encoders"),
    )
    op.create_table(
        "photos",
        sa.Column("item_id", sa.Text, primary_key=True),
        sa.Column("jpeg", sa.LargeBinary, nullable=False),
    )


def _lists() -> None:
    op.create_table(
        "shown",
        sa.Column("recommendation_id", sa.Text, primary_key=True),
        sa.Column("visitor", sa.Text, nullable=False),
        sa.Column("time", sa.Double, nullable=False),
        sa.Column("slot", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("items", sa.Text, nullable=False),
        sa.Column("experiment", sa.Text),
        sa.Column("arm", sa.Text),
        sa.Column("explored", sa.Text, nullable=False),
    )
    op.create_index("shown_visitor", "shown", ["visitor"])
    op.create_index("shown_time", "shown", ["time", "recommendation_id"])


def _settings() -> None:
    op.create_table(
        "rules",
        sa.Column("rule_id", sa.Text, primary_key=True),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_table(
        "models",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("share", sa.Double, nullable=False),
        sa.Column("since", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("name", "role"),
    )
    op.create_table(
        "changes",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("time", sa.Double, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("what", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("before", sa.Text),
        sa.Column("after", sa.Text),
    )
    counters = op.create_table(
        "counters",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("value", sa.BigInteger, nullable=False),
    )
    settings = op.create_table(
        "settings",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )
    op.bulk_insert(counters, [{"name": name, "value": 0} for name in ("items", "rules", "models")])
    op.bulk_insert(settings, [{"name": "salt", "value": secrets.token_hex(32)}])
