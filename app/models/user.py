from sqlalchemy import Index, String, false, func, true
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Identified, Timestamped


class User(Identified, Timestamped, Base):
    __tablename__ = "users"

    email: Mapped[str] = mapped_column(String(255))
    full_name: Mapped[str | None] = mapped_column(String(255))
    password_hash: Mapped[str] = mapped_column(String(255))
    is_active: Mapped[bool] = mapped_column(server_default=true())
    is_superuser: Mapped[bool] = mapped_column(server_default=false())


# An index on lower(email), not citext: it needs no extension.
Index("uq_users_email_lower", func.lower(User.email), unique=True)
Index("ix_users_created_at", User.created_at)
