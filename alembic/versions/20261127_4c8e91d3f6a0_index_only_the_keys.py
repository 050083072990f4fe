"""index only the keys

Revision ID: 4c8e91d3f6a0
Revises: f3a9c1e7b264
Create Date: 2026-11-27 11:40:00.000000+00:00
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "4c8e91d3f6a0"
down_revision: str | Sequence[str] | None = "f3a9c1e7b264"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

OLD, NEW = "uq_outbox_key", "uq_outbox_key_of_alive"
ALIVE = sa.text("failed_at IS NULL")
WITH_KEY = sa.text("failed_at IS NULL AND key IS NOT NULL")


def upgrade() -> None:
    # Few jobs have a key. The old index had an entry for each job, and PostgreSQL read all of them
    # to find a few rows, because such an index without values is small.
    replace(OLD, NEW, WITH_KEY)


def downgrade() -> None:
    replace(NEW, OLD, ALIVE)


def replace(old: str, new: str, condition: sa.TextClause) -> None:
    # CONCURRENTLY: jobs are enqueued while the index is built.
    with op.get_context().autocommit_block():
        op.create_index(
            new,
            "outbox",
            ["key"],
            unique=True,
            postgresql_where=condition,
            postgresql_concurrently=True,
            if_not_exists=True,
        )
        op.drop_index(old, table_name="outbox", postgresql_concurrently=True, if_exists=True)
