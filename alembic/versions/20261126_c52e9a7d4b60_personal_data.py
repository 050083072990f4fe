"""personal data

Revision ID: c52e9a7d4b60
Revises: d1f60c8a7e34
Create Date: 2026-11-26 13:05:00.000000+00:00
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "c52e9a7d4b60"
down_revision: str | Sequence[str] | None = "d1f60c8a7e34"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

DUE = sa.text("deletion_due_at IS NOT NULL")


def upgrade() -> None:
    op.add_column(
        "users",
        sa.Column("deletion_due_at", sa.DateTime(timezone=True), nullable=True),
        if_not_exists=True,
    )
    op.create_table(
        "personal_data_archives",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("compressed_json", sa.LargeBinary(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["users.id"],
            name=op.f("fk_personal_data_archives_user_id_users"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_personal_data_archives")),
        if_not_exists=True,
    )
    # CONCURRENTLY: users sign up while the index is built.
    with op.get_context().autocommit_block():
        op.create_index(
            "ix_users_deletion_due_at",
            "users",
            ["deletion_due_at"],
            postgresql_where=DUE,
            postgresql_concurrently=True,
            if_not_exists=True,
        )


def downgrade() -> None:
    with op.get_context().autocommit_block():
        op.drop_index(
            "ix_users_deletion_due_at",
            table_name="users",
            postgresql_concurrently=True,
            if_exists=True,
        )
    op.drop_table("personal_data_archives")
    op.drop_column("users", "deletion_due_at")
