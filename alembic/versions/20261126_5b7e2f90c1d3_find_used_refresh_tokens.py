"""find used refresh tokens

Revision ID: 5b7e2f90c1d3
Revises: 3d92c7be14f8
Create Date: 2026-11-26 12:10:00.000000+00:00
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "5b7e2f90c1d3"
down_revision: str | Sequence[str] | None = "3d92c7be14f8"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    # CONCURRENTLY: sessions are refreshed while the index is built.
    with op.get_context().autocommit_block():
        op.create_index(
            "ix_refresh_tokens_used_at",
            "refresh_tokens",
            ["used_at"],
            postgresql_where=sa.text("used_at IS NOT NULL"),
            postgresql_concurrently=True,
            if_not_exists=True,
        )


def downgrade() -> None:
    with op.get_context().autocommit_block():
        op.drop_index(
            "ix_refresh_tokens_used_at",
            table_name="refresh_tokens",
            postgresql_concurrently=True,
            if_exists=True,
        )
