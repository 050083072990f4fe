"""wait without writing

Revision ID: 7c1d5e9a0b36
Revises: 2f8b6a1c9d47
Create Date: 2026-11-26 09:40:00.000000+00:00
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "7c1d5e9a0b36"
down_revision: str | Sequence[str] | None = "2f8b6a1c9d47"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

ALIVE = sa.text("failed_at IS NULL")


def upgrade() -> None:
    op.execute("ALTER TABLE outbox ALTER check_at SET DEFAULT clock_timestamp() + '5 seconds'")
    # CONCURRENTLY: jobs are enqueued while the index is built.
    with op.get_context().autocommit_block():
        op.create_index(
            "ix_outbox_queue_check_at_id",
            "outbox",
            ["queue", "check_at", "id"],
            postgresql_where=ALIVE,
            postgresql_concurrently=True,
            if_not_exists=True,
        )
        op.drop_index(
            "ix_outbox_queue_check_at",
            table_name="outbox",
            postgresql_concurrently=True,
            if_exists=True,
        )


def downgrade() -> None:
    with op.get_context().autocommit_block():
        op.create_index(
            "ix_outbox_queue_check_at",
            "outbox",
            ["queue", "check_at"],
            postgresql_where=ALIVE,
            postgresql_concurrently=True,
            if_not_exists=True,
        )
        op.drop_index(
            "ix_outbox_queue_check_at_id",
            table_name="outbox",
            postgresql_concurrently=True,
            if_exists=True,
        )
    op.execute("ALTER TABLE outbox ALTER check_at SET DEFAULT now() + '5 seconds'")
