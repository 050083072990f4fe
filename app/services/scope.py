"""The scope that services work in. A route, a job handler, or a command opens it."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from types import TracebackType
from typing import Self
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
    """The origin of a request."""

    ip_address: str
    user_agent: str = ""
    device: str | None = None
    """The token of the device cookie, or the id that an app sends instead."""


@dataclass(slots=True, kw_only=True)
class Scope:
    """The context of one request, job, or command.

    Services write through `uow`, the scope's only transaction, which the edge commits or rolls
    back. They use `reader` for data that they only return, and for reads that must not keep a
    connection open, such as those before a password is hashed or another server is called. `actor`
    is None without a login, in jobs, and in commands.
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
    """The operator's reason, which the audit events of the scope include."""

    operator: str | None = None
    """The operating system's name of the user on the command line, who may do everything."""

    awaits_principal: bool = False

    async def __aenter__(self) -> Self:
        """Open the transaction. It commits at the end, and rolls back after an exception."""
        await self.uow.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.uow.__aexit__(kind, error, traceback)

    @property
    def principal(self) -> Principal:
        """The acting user. Raises Unauthenticated without a login."""
        if self.awaits_principal:
            raise RuntimeError(
                "A route with @one_round_trip has no principal before its first read"
            )
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


OpenScope = Callable[[], AbstractAsyncContextManager[Scope]]
"""Opens a scope for each batch of a long change."""


def open_scope(
    resources: Resources,
    request: RequestInfo,
    actor: Principal | None = None,
    *,
    autocommits: bool = False,
) -> Scope:
    """Return a scope that `async with` opens, with the resources of this process.

    With `autocommits`, its unit of work may run one statement, which is committed at once.
    """
    return Scope(
        settings=resources.settings,
        uow=resources.unit_of_work(autocommits=autocommits),
        reader=resources.reader,
        queues=resources.queues,
        throttle=resources.throttle,
        passwords=resources.passwords,
        oidc=resources.oidc,
        request=request,
        actor=actor,
    )
