"""check the outbox sooner

Revision ID: b84f2d06c1e9
Revises: c6a1d0b83e57
Create Date: 2026-11-26 12:10:00.000000+00:00
"""

from collections.abc import Sequence

from alembic import op

revision: str = "b84f2d06c1e9"
down_revision: str | Sequence[str] | None = "c6a1d0b83e57"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.execute("ALTER TABLE outbox ALTER check_at SET DEFAULT clock_timestamp() + '2 seconds'")


def downgrade() -> None:
    op.execute("ALTER TABLE outbox ALTER check_at SET DEFAULT clock_timestamp() + '5 seconds'")
