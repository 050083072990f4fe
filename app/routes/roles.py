from collections.abc import Sequence
from uuid import UUID

from fastapi import APIRouter, status

from app.models import Role
from app.routes.deps import Limit, Skip
from app.routes.services import Roles
from app.schemas.fields import Message, Page
from app.schemas.role import RoleCreate, RolePublic, RoleUpdate
from app.services import page

router = APIRouter(tags=["roles"])


@router.get("/roles/", response_model=Page[RolePublic])
async def read_roles(roles: Roles, skip: Skip = 0, limit: Limit = 100) -> page.Page[Role]:
    """List roles by name."""
    return await roles.list(skip=skip, limit=limit)


@router.post("/roles/", status_code=status.HTTP_201_CREATED, response_model=RolePublic)
async def create_role(roles: Roles, wish: RoleCreate) -> Role:
    return await roles.create(wish)


@router.get("/roles/{role_id}", response_model=RolePublic)
async def read_role(roles: Roles, role_id: UUID) -> Role:
    return await roles.get(role_id)


@router.patch("/roles/{role_id}", response_model=RolePublic)
async def update_role(roles: Roles, role_id: UUID, changes: RoleUpdate) -> Role:
    """Change a role. It counts at once, for everybody who has it."""
    return await roles.update(role_id, changes)


@router.delete("/roles/{role_id}")
async def delete_role(roles: Roles, role_id: UUID) -> Message:
    await roles.delete(role_id)
    return Message(message="Role deleted successfully")


@router.get("/users/{user_id}/roles", response_model=list[RolePublic])
async def read_roles_of_user(roles: Roles, user_id: UUID) -> Sequence[Role]:
    return await roles.of_user(user_id)


@router.put("/users/{user_id}/roles/{role_id}")
async def give_role(roles: Roles, user_id: UUID, role_id: UUID) -> Message:
    await roles.give(user_id, role_id)
    return Message(message="Role given")


@router.delete("/users/{user_id}/roles/{role_id}")
async def take_role_away(roles: Roles, user_id: UUID, role_id: UUID) -> Message:
    await roles.take_away(user_id, role_id)
    return Message(message="Role taken away")
