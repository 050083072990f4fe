"""FastAPI's wiring and nothing else."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Query, Request
from fastapi.security import OAuth2PasswordBearer

from app.core.config import Settings
from app.core.queue import QueuePools
from app.core.resources import Resources
from app.core.unit_of_work import UnitOfWork
from app.schemas.role import Permission
from app.services.audit import Caller
from app.services.principal import NotEnoughPrivileges, Principal
from app.services.role_service import require
from app.services.session_service import authenticate

MAX_SKIP = 10_000_000
"""An offset makes PostgreSQL walk all that it skips: beyond this, it is an attack or a mistake."""

MAX_USER_AGENT = 255

bearer = OAuth2PasswordBearer(tokenUrl="/api/v1/login/access-token")


# Asynchronous although they wait for nothing: FastAPI runs plain functions in threads.
async def get_resources(request: Request) -> Resources:
    resources = request.state.resources
    assert isinstance(resources, Resources)
    return resources


OpenResources = Annotated[Resources, Depends(get_resources)]


async def get_settings(resources: OpenResources) -> Settings:
    return resources.settings


async def get_queues(resources: OpenResources) -> QueuePools:
    return resources.queues


async def get_unit_of_work(resources: OpenResources) -> AsyncIterator[UnitOfWork]:
    async with resources.unit_of_work() as uow:
        yield uow


# The scope makes the commit happen before the response leaves, not after it.
Uow = Annotated[UnitOfWork, Depends(get_unit_of_work, scope="function")]
CurrentSettings = Annotated[Settings, Depends(get_settings)]
Queues = Annotated[QueuePools, Depends(get_queues)]
Skip = Annotated[int, Query(ge=0, le=MAX_SKIP, description="How many to leave out")]
Limit = Annotated[int, Query(ge=1, le=100, description="How many to return")]


async def get_caller(request: Request, settings: CurrentSettings) -> Caller:
    user_agent = request.headers.get("user-agent", "").replace("\x00", "")
    return Caller(_address(request, settings), user_agent[:MAX_USER_AGENT])


CurrentCaller = Annotated[Caller, Depends(get_caller)]
BearerToken = Annotated[str, Depends(bearer)]


async def get_principal(uow: Uow, settings: CurrentSettings, token: BearerToken) -> Principal:
    return await authenticate(uow, settings, token)


async def get_principal_beforehand(resources: OpenResources, token: BearerToken) -> Principal:
    async with resources.unit_of_work() as uow:
        return await authenticate(uow, resources.settings, token)


CurrentPrincipal = Annotated[Principal, Depends(get_principal)]
PrincipalBeforehand = Annotated[Principal, Depends(get_principal_beforehand)]
"""For routes that hash a password: no connection is held meanwhile."""


async def get_superuser(principal: CurrentPrincipal) -> Principal:
    return _superuser(principal)


async def get_superuser_beforehand(principal: PrincipalBeforehand) -> Principal:
    return _superuser(principal)


Superuser = Annotated[Principal, Depends(get_superuser)]
SuperuserBeforehand = Annotated[Principal, Depends(get_superuser_beforehand)]


def requires(permission: str) -> Callable[[Uow, CurrentPrincipal], Awaitable[Principal]]:
    """Let a route be used by whoever has a permission: `Depends(requires("reports:read"))`.

    Raises ValueError, when the application starts, for a permission that does not exist.
    """
    needed = Permission(permission)

    async def check(uow: Uow, principal: CurrentPrincipal) -> Principal:
        await require(uow, principal, needed)
        return principal

    return check


def _address(request: Request, settings: Settings) -> str:
    if request.client is None:
        return "unknown"
    if request.client.port == 0 and not settings.trusted_proxies:
        # Started without --no-proxy-headers, uvicorn believes what this machine's own processes
        # say in X-Forwarded-For, and leaves no port. Nobody has told us to believe it.
        return "127.0.0.1"
    return request.client.host


def _superuser(principal: Principal) -> Principal:
    # A superuser's API key with scopes does what its scopes say, and nothing else.
    if not principal.user.is_superuser or principal.scopes is not None:
        raise NotEnoughPrivileges
    return principal
