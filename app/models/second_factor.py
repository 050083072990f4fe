"""Second factors, recovery codes, and logins that wait for a second factor."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, LargeBinary, func
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base


class TotpFactor(Base):
    """An authenticator app. Its first code confirms it."""

    __tablename__ = "totp_factors"

    user_id: Mapped[UUID] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    encrypted_secret: Mapped[bytes] = mapped_column(
        "sealed_secret", LargeBinary, key="encrypted_secret"
    )
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    confirmed_at: Mapped[datetime | None]
    last_step: Mapped[int] = mapped_column(BigInteger, server_default="0")
    """The time step of the last accepted code. Codes of this step and earlier steps are invalid."""

    failures: Mapped[int] = mapped_column(server_default="0")
    """The number of wrong codes since the last correct one."""


class RecoveryCode(Base):
    """A code with which a user who has lost the second factor can log in once."""

    __tablename__ = "recovery_codes"

    code_hash: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class MfaChallenge(Base):
    """A login whose password was correct, and whose second factor must follow."""

    __tablename__ = "login_challenges"  # the first name: a rename would break the previous version

    token_hash: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime]
