"""vacuum the outbox early

Revision ID: 3d92c7be14f8
Revises: 7c1d5e9a0b36
Create Date: 2026-11-26 10:27:00.000000+00:00
"""

from collections.abc import Sequence

from alembic import op

revision: str = "3d92c7be14f8"
down_revision: str | Sequence[str] | None = "7c1d5e9a0b36"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# Each job leaves a dead row. By default, PostgreSQL vacuums a table when a fifth of it is dead.
# With a million waiting jobs, that is 200,000 rows. A row is not updated while its job waits, so a
# fillfactor below 100 would only waste space.
OPTIONS = {
    "autovacuum_vacuum_scale_factor": "0.02",
    "autovacuum_vacuum_threshold": "5000",
    "autovacuum_vacuum_cost_delay": "0",
}


def upgrade() -> None:
    values = ", ".join(f"{name} = {value}" for name, value in OPTIONS.items())
    op.execute(f"ALTER TABLE outbox SET ({values})")


def downgrade() -> None:
    op.execute(f"ALTER TABLE outbox RESET ({', '.join(OPTIONS)})")
