from datetime import datetime

from sqlalchemy import Index, String, false, func, true
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Identified, Timestamped


class User(Identified, Timestamped, Base):
    """An account. Without a password hash, it has no password to log in with."""

    __tablename__ = "users"

    email: Mapped[str] = mapped_column(String(255))
    email_verified_at: Mapped[datetime | None]
    new_email: Mapped[str | None] = mapped_column(String(255))
    """An address that the user wants to change to and that waits for its confirmation."""

    full_name: Mapped[str | None] = mapped_column(String(255))
    password_hash: Mapped[str | None] = mapped_column(String(255))
    is_active: Mapped[bool] = mapped_column(server_default=true())
    is_superuser: Mapped[bool] = mapped_column(server_default=false())


# An index on lower(email), not citext: it needs no extension.
Index("uq_users_email_lower", func.lower(User.email), unique=True)
Index("ix_users_created_at", User.created_at)
