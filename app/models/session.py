from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, LargeBinary, String, func
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Identified


class UserSession(Identified, Base):
    """One login on one device. Its tokens stop working when the row is deleted."""

    __tablename__ = "sessions"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    user_agent: Mapped[str] = mapped_column(String(255))
    ip_address: Mapped[str] = mapped_column("address", String(45), key="ip_address")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    last_seen_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime]
    proven_at: Mapped[datetime] = mapped_column(server_default=func.now())
    """When the user last proved who they are, at the login or within the session."""


class RefreshToken(Base):
    """A token to exchange for the next access token. A used one stays, to detect copies of it."""

    __tablename__ = "refresh_tokens"

    token_hash: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    session_id: Mapped[UUID] = mapped_column(
        ForeignKey("sessions.id", ondelete="CASCADE"), index=True
    )
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    used_at: Mapped[datetime | None]


Index(
    "ix_refresh_tokens_used_at",
    RefreshToken.used_at,
    postgresql_where=RefreshToken.used_at.is_not(None),
)
