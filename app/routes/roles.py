"""Roles, which are sets of permissions, and the users who have them."""

from collections.abc import Sequence
from uuid import UUID

from fastapi import Depends, status

from app.core.http.routing import Router
from app.models import Role
from app.routes.deps.principals import SuperuserScope, one_round_trip, requires_recent
from app.routes.deps.request import Limit, Skip
from app.schemas.common import Message, Page
from app.schemas.role import RoleCreate, RolePublic, RoleUpdate
from app.services.auth.role_service import RoleService

router = Router(tags=["roles"])


@router.get("/roles/")
async def read_roles(scope: SuperuserScope, skip: Skip = 0, limit: Limit = 100) -> Page[RolePublic]:
    """List roles by name."""
    return await RoleService(scope).list(skip=skip, limit=limit)


@router.post(
    "/roles/",
    status_code=status.HTTP_201_CREATED,
    response_model=RolePublic,
    dependencies=[Depends(requires_recent(minutes=5))],
)
async def create_role(scope: SuperuserScope, data: RoleCreate) -> Role:
    """Create a role with its permissions."""
    return await RoleService(scope).create(data)


@router.get("/roles/{role_id}")
@one_round_trip
async def read_role(scope: SuperuserScope, role_id: UUID) -> RolePublic:
    """Read a role."""
    return await RoleService(scope).read(role_id)


@router.patch(
    "/roles/{role_id}",
    response_model=RolePublic,
    dependencies=[Depends(requires_recent(minutes=5))],
)
async def update_role(scope: SuperuserScope, role_id: UUID, data: RoleUpdate) -> Role:
    """Change a role. The change takes effect at once for every user who has the role."""
    return await RoleService(scope).update(role_id, data)


@router.delete("/roles/{role_id}", dependencies=[Depends(requires_recent(minutes=5))])
async def delete_role(scope: SuperuserScope, role_id: UUID) -> Message:
    """Delete a role. Its users lose its permissions at once."""
    await RoleService(scope).delete(role_id)
    return Message(message="Role deleted successfully")


@router.get("/users/{user_id}/roles", response_model=list[RolePublic])
async def read_roles_of_user(scope: SuperuserScope, user_id: UUID) -> Sequence[Role]:
    """List the roles of a user by name."""
    return await RoleService(scope).list_for_user(user_id)


@router.put("/users/{user_id}/roles/{role_id}", dependencies=[Depends(requires_recent(minutes=5))])
async def give_role(scope: SuperuserScope, user_id: UUID, role_id: UUID) -> Message:
    """Give a role to a user."""
    await RoleService(scope).assign(user_id, role_id)
    return Message(message="Role given")


@router.delete(
    "/users/{user_id}/roles/{role_id}", dependencies=[Depends(requires_recent(minutes=5))]
)
async def take_role_away(scope: SuperuserScope, user_id: UUID, role_id: UUID) -> Message:
    """Take a role away from a user."""
    await RoleService(scope).unassign(user_id, role_id)
    return Message(message="Role taken away")
