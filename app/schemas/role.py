from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from app.schemas.common import Changes, Line


class Permission(StrEnum):
    """The permissions of roles. Superusers have every permission."""

    READ_AUDIT = "audit:read"
    READ_CONSOLE = "console:read"
    MANAGE_JOBS = "jobs:manage"
    READ_JOBS = "jobs:read"
    MANAGE_QUEUES = "queues:manage"
    CREATE_REPORTS = "reports:create"
    READ_REPORTS = "reports:read"


MAX_PERMISSIONS = 100
"""A longer list is an attack, because the validation of all elements would block the event loop."""

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
