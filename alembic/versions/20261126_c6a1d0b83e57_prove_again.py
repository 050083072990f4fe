"""prove again

Revision ID: c6a1d0b83e57
Revises: a4d07c35e812
Create Date: 2026-11-26 12:25:00.000000+00:00
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "c6a1d0b83e57"
down_revision: str | Sequence[str] | None = "a4d07c35e812"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    # The default is computed once, so no row is rewritten. Sessions of the previous version get it,
    # too, because their users have just logged in.
    op.add_column(
        "sessions",
        sa.Column(
            "proven_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
    )


def downgrade() -> None:
    op.drop_column("sessions", "proven_at")
