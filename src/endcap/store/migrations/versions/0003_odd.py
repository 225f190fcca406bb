"""Odd rows of the catalogue, as they were found in the background."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the table."""
    op.create_table(
        "odd",
        sa.Column("item_id", sa.Text, nullable=False),
        sa.Column("column", sa.Text, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("expected", sa.Text, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("score", sa.Double, nullable=False),
        sa.Column("right_by", sa.Text),
        sa.Column("right_at", sa.Double),
        sa.PrimaryKeyConstraint("item_id", "column", "value"),
    )


def downgrade() -> None:
    """Takes it away."""
    op.drop_table("odd")
