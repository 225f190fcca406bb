"""An index of what visitors did, without what they were shown."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the index."""
    done = sa.text("kind <> 'impression'")
    op.create_index("events_done", "events", ["visitor", "time", "id"], postgresql_where=done, sqlite_where=done)


def downgrade() -> None:
    """Takes it away."""
    op.drop_index("events_done", "events")
