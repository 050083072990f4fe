"""Roles, which are named sets of permissions. A change takes effect with the next request."""

from collections.abc import Sequence
from uuid import UUID

from pydantic import JsonValue
from sqlalchemy import bindparam, delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError

from app.core.exceptions import Conflict, NotFound
from app.models import Alert, Role, UserRole
from app.schemas.common import Page
from app.schemas.role import RoleCreate, RolePublic, RoleUpdate
from app.services.administrators import lock_account, lock_administrators
from app.services.alerts import notify
from app.services.audit import AuditTrail
from app.services.columns import select_as
from app.services.scope import Scope
from app.services.user_service import UserService

_ROLES = select_as(RolePublic, Role)
_BY_ID = _ROLES.where(Role.id == bindparam("role_id"))
_BY_NAME = _ROLES.order_by(Role.name)


class RoleNotFound(NotFound):
    def __init__(self) -> None:
        super().__init__("Role not found")


class RoleNameTaken(Conflict):
    def __init__(self) -> None:
        super().__init__("Role with this name already exists")


class RoleService:
    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.uow = scope.uow
        self.users = UserService(scope)

    async def list(self, *, skip: int, limit: int) -> Page[RolePublic]:
        """List roles by name."""
        return await self.scope.reader.page(Page[RolePublic], _BY_NAME, skip=skip, limit=limit)

    async def read(self, role_id: UUID) -> RolePublic:
        """Raise RoleNotFound."""
        role = await self.scope.reader.one(RolePublic, _BY_ID, role_id=role_id)
        if role is None:
            raise RoleNotFound
        return role

    async def get(self, role_id: UUID) -> Role:
        """Raise RoleNotFound."""
        role = await self.uow.session.get(Role, role_id)
        if role is None:
            raise RoleNotFound
        return role

    async def create(self, data: RoleCreate) -> Role:
        """Raise RoleNameTaken."""
        await lock_administrators(self.scope)
        role = Role(**data.model_dump())
        self.uow.session.add(role)
        return await self._save(role, "role.created")

    async def update(self, role_id: UUID, data: RoleUpdate) -> Role:
        """Raise RoleNotFound or RoleNameTaken."""
        await lock_administrators(self.scope)
        role = await self.get(role_id)
        for field, value in data.given().items():
            setattr(role, field, value)
        return await self._save(role, "role.updated")

    async def delete(self, role_id: UUID) -> None:
        """Delete a role. Its users lose its permissions. Raise RoleNotFound."""
        await lock_administrators(self.scope)
        role = await self.get(role_id)
        await self.uow.session.delete(role)
        self._record("role.deleted", None, role)

    async def list_for_user(self, user_id: UUID) -> Sequence[Role]:
        """List a user's roles by name. Raise UserNotFound."""
        user = await self.users.get(user_id)
        query = select(Role).join(UserRole).where(UserRole.user_id == user.id).order_by(Role.name)
        return (await self.uow.session.scalars(query)).all()

    async def assign(self, user_id: UUID, role_id: UUID) -> None:
        """Assign a role to a user. Raise UserNotFound or RoleNotFound."""
        user = await lock_account(self.scope, user_id, keeps_superuser=True)
        role = await self.get(role_id)
        row = insert(UserRole).values(user_id=user.id, role_id=role.id).on_conflict_do_nothing()
        if await self.uow.session.scalar(row.returning(UserRole.role_id)) is not None:
            await notify(self.scope, user, Alert.NEW_ROLE, _details(role))

    async def unassign(self, user_id: UUID, role_id: UUID) -> None:
        """Remove a role from a user. Raise UserNotFound or RoleNotFound."""
        user = await lock_account(self.scope, user_id, keeps_superuser=True)
        role = await self.get(role_id)
        await self.uow.session.execute(
            delete(UserRole).where(UserRole.user_id == user.id, UserRole.role_id == role.id)
        )
        self._record("role.taken_away", user.id, role)

    async def _save(self, role: Role, event: str) -> Role:
        try:
            await self.uow.session.flush()
        except IntegrityError as error:
            raise RoleNameTaken from error
        self._record(event, None, role)
        return role

    def _record(self, event: str, user_id: UUID | None, role: Role) -> None:
        AuditTrail(self.scope).record(
            event,
            user_id=user_id,
            actor_id=self.scope.actor_id,
            **_details(role),
        )


def _details(role: Role) -> dict[str, JsonValue]:
    return {"role": role.name, "permissions": [*role.permissions]}
