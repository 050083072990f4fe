from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field


class SignupReportRequest(BaseModel):
    days: Annotated[int, Field(ge=1, le=366)] = 30


class SignupsOfDay(BaseModel):
    date: date
    signups: int


class SignupReportPublic(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    first_day: date
    last_day: date
    total: int
    days: list[SignupsOfDay]
    created_at: datetime
