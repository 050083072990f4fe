"""priorities, crashes and ticks

Revision ID: 5e0c1f7ad2b4
Revises: b171f773dd40
Create Date: 2026-11-24 17:00:00.000000+00:00
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "5e0c1f7ad2b4"
down_revision: str | Sequence[str] | None = "b171f773dd40"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "cron_ticks",
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("ticked_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_cron_ticks")),
    )
    op.add_column(
        "outbox",
        sa.Column("priority", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
    )
    op.add_column("outbox", sa.Column("crashes", sa.Integer(), nullable=True))


def downgrade() -> None:
    op.drop_column("outbox", "crashes")
    op.drop_column("outbox", "priority")
    op.drop_table("cron_ticks")
