"""one form of email addresses

Revision ID: d1f60c8a7e34
Revises: e80b5d1f4a29
Create Date: 2026-11-26 12:50:00.000000+00:00
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from app.core.security.email_addresses import normalized_email

revision: str = "d1f60c8a7e34"
down_revision: str | Sequence[str] | None = "e80b5d1f4a29"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

USERS = sa.table("users", sa.column("id", sa.Uuid()), sa.column("email", sa.String()))


def upgrade() -> None:
    if not op.get_context().as_sql:
        _normalize_names_outside_ascii()
    # CONCURRENTLY: users sign up while the index is built.
    with op.get_context().autocommit_block():
        op.create_index(
            "uq_users_normalized_email",
            "users",
            [sa.text('lower(email COLLATE "C")')],
            unique=True,
            postgresql_concurrently=True,
            if_not_exists=True,
        )


def downgrade() -> None:
    with op.get_context().autocommit_block():
        op.drop_index(
            "uq_users_normalized_email",
            table_name="users",
            postgresql_concurrently=True,
            if_exists=True,
        )


def _normalize_names_outside_ascii() -> None:
    """Normalize the stored addresses whose local part is not ASCII."""
    connection = op.get_bind()
    query = sa.select(USERS).where(USERS.c.email.op("~")("[^[:ascii:]].*@"))
    for user_id, email in connection.execute(query).all():
        normalized = normalized_email(email)
        others = USERS.alias()
        taken = sa.select(others.c.id).where(others.c.email == normalized).exists()
        connection.execute(
            USERS.update().where(USERS.c.id == user_id, ~taken).values(email=normalized)
        )
