"""find dead letters

Revision ID: b8e41d70c5a6
Revises: c52e9a7d4b60
Create Date: 2026-11-26 20:40:00.000000+00:00
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "b8e41d70c5a6"
down_revision: str | Sequence[str] | None = "c52e9a7d4b60"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

DEAD = sa.text("failed_at IS NOT NULL")
INDEXES = {
    "ix_outbox_queue_failed_at_id": (["queue", "failed_at", "id"], DEAD),
    "ix_outbox_failed_at_id": (["failed_at", "id"], DEAD),
    "ix_outbox_queue_due_at_id": (
        ["queue", "due_at", "id"],
        sa.text("failed_at IS NULL AND due_at IS NOT NULL"),
    ),
}


def upgrade() -> None:
    # CONCURRENTLY: jobs are enqueued while the indexes are built.
    with op.get_context().autocommit_block():
        for name, (columns, condition) in INDEXES.items():
            op.create_index(
                name,
                "outbox",
                columns,
                postgresql_where=condition,
                postgresql_concurrently=True,
                if_not_exists=True,
            )


def downgrade() -> None:
    with op.get_context().autocommit_block():
        for name in INDEXES:
            op.drop_index(name, table_name="outbox", postgresql_concurrently=True, if_exists=True)
