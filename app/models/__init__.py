"""Every table, so that importing this package fills the metadata that Alembic compares."""

from app.core.outbox import outbox
from app.core.ticks import ticks
from app.models.audit_event import AuditEvent
from app.models.base import Base
from app.models.item import Item
from app.models.job_owner import JobOwner
from app.models.mailed_token import MailedToken, Purpose
from app.models.role import Role, UserRole
from app.models.session import RefreshToken, UserSession
from app.models.signup_report import SignupReport
from app.models.user import User

__all__ = [
    "AuditEvent",
    "Base",
    "Item",
    "JobOwner",
    "MailedToken",
    "Purpose",
    "RefreshToken",
    "Role",
    "SignupReport",
    "User",
    "UserRole",
    "UserSession",
    "outbox",
    "ticks",
]
