"""Roles: named sets of permissions. What changes here counts from the next request on."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError

from app.core.exceptions import Conflict, NotFound
from app.core.unit_of_work import UnitOfWork
from app.models import Role, User, UserRole
from app.schemas.role import Permission, RoleCreate, RoleUpdate
from app.services.audit import AuditTrail, Caller
from app.services.page import Page, page_of
from app.services.principal import NotEnoughPermissions, Principal
from app.services.user_service import UserService


class RoleNotFound(NotFound):
    def __init__(self) -> None:
        super().__init__("Role not found")


class RoleNameTaken(Conflict):
    def __init__(self) -> None:
        super().__init__("Role with this name already exists")


async def require(uow: UnitOfWork, principal: Principal, permission: Permission) -> None:
    """Let a principal pass who has a permission, by a role or as a superuser.

    Raises NotEnoughPermissions, also where the principal's own scopes leave the permission out.
    """
    if not await may(uow, principal, permission):
        raise NotEnoughPermissions


async def may(uow: UnitOfWork, principal: Principal, permission: Permission) -> bool:
    """Tell whether a principal has a permission."""
    if not principal.covers(permission):
        return False
    return principal.user.is_superuser or await _has_by_role(uow, principal.user, permission)


async def _has_by_role(uow: UnitOfWork, user: User, permission: Permission) -> bool:
    granted = (
        select(UserRole)
        .join(Role)
        .where(UserRole.user_id == user.id, Role.permissions.contains([permission]))
    )
    return bool(await uow.session.scalar(select(granted.exists())))


class RoleService:
    def __init__(self, uow: UnitOfWork, caller: Caller, principal: Principal) -> None:
        self.uow = uow
        self.actor_id = principal.user.id
        self.audit = AuditTrail(uow, caller)

    async def list(self, *, skip: int, limit: int) -> Page[Role]:
        """List roles by name."""
        return await page_of(self.uow, select(Role).order_by(Role.name), skip=skip, limit=limit)

    async def get(self, role_id: UUID) -> Role:
        """Raises RoleNotFound."""
        role = await self.uow.session.get(Role, role_id)
        if role is None:
            raise RoleNotFound
        return role

    async def create(self, wish: RoleCreate) -> Role:
        """Raises RoleNameTaken."""
        role = Role(**wish.model_dump())
        self.uow.session.add(role)
        return await self._save(role, "role.created")

    async def update(self, role_id: UUID, changes: RoleUpdate) -> Role:
        """Raises RoleNotFound and RoleNameTaken."""
        role = await self.get(role_id)
        for field, value in changes.given().items():
            setattr(role, field, value)
        return await self._save(role, "role.updated")

    async def delete(self, role_id: UUID) -> None:
        """Delete a role; whoever had it has its permissions no longer. Raises RoleNotFound."""
        role = await self.get(role_id)
        await self.uow.session.delete(role)
        self._record("role.deleted", None, role)

    async def of_user(self, user_id: UUID) -> Sequence[Role]:
        """List a user's roles by name. Raises UserNotFound."""
        user = await UserService(self.uow).get(user_id)
        query = select(Role).join(UserRole).where(UserRole.user_id == user.id).order_by(Role.name)
        return (await self.uow.session.scalars(query)).all()

    async def give(self, user_id: UUID, role_id: UUID) -> None:
        """Give a user a role. Raises UserNotFound and RoleNotFound."""
        user, role = await UserService(self.uow).get(user_id), await self.get(role_id)
        row = insert(UserRole).values(user_id=user.id, role_id=role.id)
        await self.uow.session.execute(row.on_conflict_do_nothing())
        self._record("role.given", user.id, role)

    async def take_away(self, user_id: UUID, role_id: UUID) -> None:
        """Take a role away from a user. Raises UserNotFound and RoleNotFound."""
        user, role = await UserService(self.uow).get(user_id), await self.get(role_id)
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
        self.audit.record(
            event,
            user_id=user_id,
            actor_id=self.actor_id,
            role=role.name,
            permissions=list(role.permissions),
        )
