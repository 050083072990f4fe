from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, StringConstraints

from app.schemas.fields import Changes, Text


class Permission(StrEnum):
    """Everything that a role can allow. A superuser may do all of it."""

    READ_AUDIT = "audit:read"
    READ_JOBS = "jobs:read"
    CREATE_REPORTS = "reports:create"
    READ_REPORTS = "reports:read"


RoleName = Annotated[Text, StringConstraints(min_length=1, max_length=64)]


class RoleCreate(BaseModel):
    name: RoleName
    permissions: list[Permission] = []


class RoleUpdate(Changes):
    name: RoleName | None = None
    permissions: list[Permission] | None = None


class RolePublic(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    name: str
    permissions: list[str]
