from datetime import datetime
from enum import StrEnum
from uuid import UUID

from pydantic import JsonValue
from sqlalchemy import ForeignKey, Index, LargeBinary, String, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Identified


class Alert(StrEnum):
    """The kinds of alerts. The value is the name of the event in the audit trail."""

    NEW_DEVICE = "login.new_device"
    NEW_API_KEY = "api_key.created"
    NEW_FACTOR = "second_factor.set_up"
    FACTOR_REMOVED = "second_factor.removed"
    RECOVERY_CODES_RENEWED = "second_factor.recovery_codes_renewed"
    RECOVERY_CODE_USED = "second_factor.recovery_code_used"
    NEW_PASSKEY = "passkey.added"
    PASSKEY_REMOVED = "passkey.removed"
    PASSKEY_COPIED = "passkey.copied"
    NEW_IDENTITY = "identity.linked"
    NEW_ROLE = "role.given"
    PASSWORD_CHANGED = "password.changed"  # noqa: S105  an event
    PASSWORD_RESET = "password.reset"  # noqa: S105  an event
    EMAIL_CHANGE_REQUESTED = "email.change_requested"
    EMAIL_CHANGED = "email.changed"
    DELETION_REQUESTED = "user.deletion_requested"
    TOKEN_REUSED = "refresh_token.reused"  # noqa: S105  an event


class SecurityAlert(Identified, Base):
    """An email about a possible takeover. The token of its link reports the takeover.

    `email` is the recipient, who owned the account at that time.
    """

    __tablename__ = "security_alerts"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(64))
    email: Mapped[str] = mapped_column(String(255))
    ip_address: Mapped[str] = mapped_column(String(45))
    user_agent: Mapped[str] = mapped_column(String(255))
    details: Mapped[dict[str, JsonValue]] = mapped_column(JSONB)
    can_be_reported: Mapped[bool]
    token_hash: Mapped[bytes | None] = mapped_column(LargeBinary(32), unique=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    expires_at: Mapped[datetime]


Index("ix_security_alerts_user_id_id", SecurityAlert.user_id, SecurityAlert.id)
