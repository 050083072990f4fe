"""What services work with. The edge opens it: a route, a job's handler, or a command."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from app.core.config import Settings
from app.core.exceptions import Unauthenticated
from app.core.oidc.clients import OidcClients
from app.core.postgres.reader import Reader
from app.core.queue import QueuePools
from app.core.resources import Resources
from app.core.security.passwords import Passwords
from app.core.security.throttle import Throttle
from app.core.unit_of_work import UnitOfWork
from app.schemas.role import Permission
from app.services.auth.principal import Principal


@dataclass(frozen=True, slots=True)
class RequestInfo:
    """Where a request comes from."""

    ip_address: str
    user_agent: str = ""
    device: str | None = None
    """The token of the device cookie, or the id that an app sends in its place."""


@dataclass(slots=True, kw_only=True)
class Scope:
    """One request, job, or command, as services see it.

    They write through `uow`, the one transaction of the scope, which the edge commits or rolls
    back. They read through `reader` what they only show, and what must not hold a connection:
    before a password is hashed, or another server is asked. `actor` is None without a login, in
    jobs, and in commands.
    """

    settings: Settings
    uow: UnitOfWork
    reader: Reader
    queues: QueuePools
    throttle: Throttle
    passwords: Passwords
    oidc: OidcClients
    request: RequestInfo
    actor: Principal | None = None
    reason: str | None = None
    """Why an operator does it. The events of the scope carry it."""

    operator: str | None = None
    """Who uses the command line, as the operating system calls them. Such a user may do all."""

    awaits_principal: bool = False

    @property
    def principal(self) -> Principal:
        """Return the user who acts. Raise Unauthenticated without one."""
        if self.awaits_principal:
            raise RuntimeError("A route with @one_round_trip knows its principal once it has read")
        if self.actor is None:
            raise Unauthenticated
        return self.actor

    def require(self, permission: Permission) -> None:
        """Raise Unauthenticated or NotEnoughPermissions, except on the command line."""
        if self.operator is None:
            self.principal.require(permission)

    @property
    def actor_id(self) -> UUID | None:
        return None if self.actor is None else self.actor.user_id


@asynccontextmanager
async def open_scope(
    resources: Resources, request: RequestInfo, actor: Principal | None = None
) -> AsyncIterator[Scope]:
    """Open a scope: its transaction commits at the end, or rolls back when an exception leaves."""
    async with resources.unit_of_work() as uow:
        yield Scope(
            settings=resources.settings,
            uow=uow,
            reader=resources.reader,
            queues=resources.queues,
            throttle=resources.throttle,
            passwords=resources.passwords,
            oidc=resources.oidc,
            request=request,
            actor=actor,
        )
