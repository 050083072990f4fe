from datetime import datetime

from sqlalchemy import ColumnElement, Index, String, false, func, true
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import Mapped, mapped_column

from app.core.security.email_addresses import normalized_email
from app.models.base import Base, Identified, Timestamped


class User(Identified, Timestamped, Base):
    """An account. Without a password hash, its user logs in with a provider or a passkey."""

    __tablename__ = "users"

    email: Mapped[str] = mapped_column(String(255))
    email_verified_at: Mapped[datetime | None]
    new_email: Mapped[str | None] = mapped_column(String(255))
    """The email that the user wants to change to, until it is confirmed."""

    new_email_expires_at: Mapped[datetime | None]

    full_name: Mapped[str | None] = mapped_column(String(255))
    password_hash: Mapped[str | None] = mapped_column(String(255))
    is_active: Mapped[bool] = mapped_column(server_default=true())
    is_superuser: Mapped[bool] = mapped_column(server_default=false())
    deletion_due_at: Mapped[datetime | None]
    """When the account is deleted, unless its user logs in before."""

    @hybrid_property
    def normalized_email(self) -> str:
        """The form in which addresses are compared, in Python and in PostgreSQL."""
        return normalized_email(self.email)

    @normalized_email.inplace.expression
    @classmethod
    def _normalized_email(cls) -> ColumnElement[str]:
        return func.lower(cls.email.collate("C"))


# An index on an expression, because citext would need an extension.
Index("uq_users_normalized_email", func.lower(User.email.collate("C")), unique=True)
# Only for the previous version, whose statements need it during a deployment.
Index("uq_users_email_lower", func.lower(User.email), unique=True)
Index("ix_users_created_at", User.created_at)
Index(
    "ix_users_deletion_due_at",
    User.deletion_due_at,
    postgresql_where=User.deletion_due_at.is_not(None),
)
