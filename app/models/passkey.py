from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, LargeBinary, String, false, func
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Identified


class Passkey(Identified, Base):
    """A public key of WebAuthn. The private key is on the user's device."""

    __tablename__ = "passkeys"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(64))
    credential_id: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    public_key: Mapped[bytes] = mapped_column(LargeBinary)
    sign_count: Mapped[int] = mapped_column(BigInteger)
    """The signature counter, which reveals a copy. It is 0 if the authenticator does not count."""

    transports: Mapped[list[str]] = mapped_column(ARRAY(String(32)))
    """How a browser connects to it, such as `internal`, `hybrid`, or `usb`."""

    is_backup_eligible: Mapped[bool]
    is_backed_up: Mapped[bool]
    """Whether it can be, and is, stored in an account at a vendor and not only on one device."""

    needs_password: Mapped[bool] = mapped_column(server_default=false())
    """Whether a login also needs the password, because the password was reset by email."""

    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    last_used_at: Mapped[datetime | None]
