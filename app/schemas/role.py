from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from app.schemas.common import Changes, Line


class Permission(StrEnum):
    """Everything that a role can allow. Superusers have every permission."""

    READ_AUDIT = "audit:read"
    READ_CONSOLE = "console:read"
    MANAGE_JOBS = "jobs:manage"
    READ_JOBS = "jobs:read"
    MANAGE_QUEUES = "queues:manage"
    CREATE_REPORTS = "reports:create"
    READ_REPORTS = "reports:read"


MAX_PERMISSIONS = 100
"""A longer list is an attack: checking each element would take the event loop's time."""

Permissions = Annotated[list[Permission], Field(max_length=MAX_PERMISSIONS)]
RoleName = Annotated[Line, StringConstraints(min_length=1, max_length=64)]


class RoleCreate(BaseModel):
    name: RoleName
    permissions: Permissions = []


class RoleUpdate(Changes):
    name: RoleName | None = None
    permissions: Permissions | None = None


class RolePublic(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    name: str
    permissions: list[str]
