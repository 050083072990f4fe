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
from app.services.api_key_service import PREFIX, NotForApiKeys, authenticate_key
from app.services.audit import Caller
from app.services.principal import NotEnoughPrivileges, Principal
from app.services.role_service import require
from app.services.second_factor_service import require_second_factor
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


async def get_person_or_program(
    uow: Uow, resources: OpenResources, token: BearerToken
) -> Principal:
    principal = await _authenticate(uow, resources, token)
    await require_second_factor(uow, resources.settings, principal.user)
    return principal


PersonOrProgram = Annotated[Principal, Depends(get_person_or_program)]
"""Whoever is logged in, or a program with an API key: the route has to ask for a permission."""


async def get_principal(principal: PersonOrProgram) -> Principal:
    return _person(principal)


async def get_principal_beforehand(resources: OpenResources, token: BearerToken) -> Principal:
    async with resources.unit_of_work() as uow:
        return _person(await get_person_or_program(uow, resources, token))


async def get_logged_in(resources: OpenResources, token: BearerToken) -> Principal:
    async with resources.unit_of_work() as uow:
        return _person(await _authenticate(uow, resources, token))


CurrentPrincipal = Annotated[Principal, Depends(get_principal)]
PrincipalBeforehand = Annotated[Principal, Depends(get_principal_beforehand)]
"""For routes that hash a password: no connection is held meanwhile."""

LoggedIn = Annotated[Principal, Depends(get_logged_in)]
"""Whoever is logged in, and be it a superuser who has yet to set up a second factor."""


async def get_superuser(principal: CurrentPrincipal) -> Principal:
    return _superuser(principal)


async def get_superuser_beforehand(principal: PrincipalBeforehand) -> Principal:
    return _superuser(principal)


Superuser = Annotated[Principal, Depends(get_superuser)]
SuperuserBeforehand = Annotated[Principal, Depends(get_superuser_beforehand)]


def requires(permission: str) -> Callable[[Uow, PersonOrProgram], Awaitable[Principal]]:
    """Let a route be used by whoever has a permission: `Depends(requires("reports:read"))`.

    Programs may use it with an API key whose scopes name the permission.

    Raises ValueError, when the application starts, for a permission that does not exist.
    """
    needed = Permission(permission)

    async def check(uow: Uow, principal: PersonOrProgram) -> Principal:
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


async def _authenticate(uow: UnitOfWork, resources: Resources, token: str) -> Principal:
    if not token.startswith(PREFIX):
        return await authenticate(uow, resources.settings, token)
    # A transaction of its own: that the key was used outlives a refusal, and requests that come
    # at the same time do not wait for the end of this one.
    async with resources.unit_of_work() as own:
        return await authenticate_key(own, token)


def _person(principal: Principal) -> Principal:
    if principal.is_program:
        raise NotForApiKeys
    return principal


def _superuser(principal: Principal) -> Principal:
    if not principal.user.is_superuser:
        raise NotEnoughPrivileges
    return principal
