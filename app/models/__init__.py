"""Every table, so that importing this package fills the metadata that Alembic compares."""

from app.core.outbox import outbox
from app.core.ticks import ticks
from app.models.api_key import ApiKey
from app.models.audit_event import AuditEvent
from app.models.base import Base
from app.models.identity import Identity, UsedLogin
from app.models.item import Item
from app.models.job_owner import JobOwner
from app.models.mailed_token import MailedToken, Purpose
from app.models.role import Role, UserRole
from app.models.second_factor import LoginChallenge, RecoveryCode, TotpFactor
from app.models.session import RefreshToken, UserSession
from app.models.signup_report import SignupReport
from app.models.user import User

__all__ = [
    "ApiKey",
    "AuditEvent",
    "Base",
    "Identity",
    "Item",
    "JobOwner",
    "LoginChallenge",
    "MailedToken",
    "Purpose",
    "RecoveryCode",
    "RefreshToken",
    "Role",
    "SignupReport",
    "TotpFactor",
    "UsedLogin",
    "User",
    "UserRole",
    "UserSession",
    "outbox",
    "ticks",
]
