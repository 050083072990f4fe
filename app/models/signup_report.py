from datetime import date, datetime
from typing import TypedDict

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Identified


class DailySignups(TypedDict):
    date: str
    signups: int


class SignupReport(Identified, Base):
    """Sign-ups per day, in UTC. Its id is the id of the job that built it."""

    __tablename__ = "signup_reports"

    first_day: Mapped[date]
    last_day: Mapped[date]
    total: Mapped[int]
    days: Mapped[list[DailySignups]] = mapped_column(JSONB)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
