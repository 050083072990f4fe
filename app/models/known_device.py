from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, LargeBinary, func
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base


class KnownDevice(Base):
    """A device from which a user has logged in. Its cookie or its client id is the token."""

    __tablename__ = "known_devices"

    user_id: Mapped[UUID] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    token_hash: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    last_seen_at: Mapped[datetime] = mapped_column(server_default=func.now())
    forgotten_at: Mapped[datetime | None]
    """When the user recovered the account. An attacker may have used this device before."""
