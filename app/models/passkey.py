from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, LargeBinary, String, false, func
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Identified


class Passkey(Identified, Base):
    """A public key whose private key a user's device holds (WebAuthn)."""

    __tablename__ = "passkeys"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(64))
    credential_id: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    public_key: Mapped[bytes] = mapped_column(LargeBinary)
    sign_count: Mapped[int] = mapped_column(BigInteger)
    """How often it has signed. A copy of it falls behind; many authenticators do not count."""

    transports: Mapped[list[str]] = mapped_column(ARRAY(String(32)))
    """How a browser reaches it, such as `internal`, `hybrid`, or `usb`."""

    is_backup_eligible: Mapped[bool]
    is_backed_up: Mapped[bool]
    """Whether it may be, and is, stored in an account at a vendor. Otherwise one device has it."""

    needs_password: Mapped[bool] = mapped_column(server_default=false())
    """Whether it logs in only beside the password, since that was reset by email."""

    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    last_used_at: Mapped[datetime | None]
