"""Every table, so that importing this package fills the metadata that Alembic compares."""

from app.core.outbox import outbox
from app.core.ticks import ticks
from app.models.base import Base
from app.models.signup_report import SignupReport
from app.models.user import User

__all__ = ["Base", "SignupReport", "User", "outbox", "ticks"]
