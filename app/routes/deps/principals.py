"""Who may use a route. Each kind is one dependency, which opens the scope of the request.

`UserScope` is for people, `ClientScope` also for API keys, and `SuperuserScope` for superusers;
`requires("reports:read")` is a `ClientScope` with a permission. A nested dependency would cost
every request 50 to 100 µs.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated, Any, TypeVar

from fastapi import Depends
from fastapi.params import Depends as Dependency
from fastapi.requests import HTTPConnection
from fastapi.security import OAuth2PasswordBearer
from fastapi.security.base import SecurityBase

from app.core.resources import Resources
from app.core.security.access_tokens import verify_access_token
from app.routes.deps.request import request_info, resources_of
from app.schemas.role import Permission
from app.services.auth.api_key_service import ApiKeyService, NotForApiKeys
from app.services.auth.authentication import API_KEY_PREFIX, authenticate, credentials_of
from app.services.auth.joined_authentication import AuthenticatingReader
from app.services.auth.principal import NotEnoughPrivileges, Principal
from app.services.scope import RequestInfo, Scope, open_scope

Endpoint = TypeVar("Endpoint", bound=Callable[..., Awaitable[object]])
Check = Callable[[Principal], None]

bearer = OAuth2PasswordBearer(tokenUrl="/api/v1/login/access-token")

_usable_without_second_factor: set[Callable[..., Any]] = set()
_one_round_trip: set[Callable[..., Any]] = set()


class Authenticated(SecurityBase):
    """Opens the scope of a request for a principal who passes the checks.

    The principal is read outside of the scope's transaction: a route that hashes a password
    before its first statement holds no connection meanwhile.
    """

    model = bearer.model
    scheme_name = bearer.scheme_name

    def __init__(self, *checks: Check) -> None:
        self.checks = checks

    async def __call__(self, request: HTTPConnection) -> AsyncIterator[Scope]:
        joins = request.scope["endpoint"] in _one_round_trip
        principal = None if joins else await self.authenticate(request)
        resources = resources_of(request)
        info = request_info(request, resources.settings)
        async with open_scope(resources, info, principal) as scope:
            if not joins:
                yield scope
                return
            scope.reader = reader = await self._authenticating_reader(request, scope)
            try:
                yield scope
            finally:
                # No response leaves without it, not even one about an invalid parameter.
                await reader.authenticate()

    async def authenticate(self, request: HTTPConnection) -> Principal:
        """Return the principal of the request's token, who has passed the checks."""
        principal = await _principal_of(request)
        self._check(request, principal)
        return principal

    async def _authenticating_reader(
        self, request: HTTPConnection, scope: Scope
    ) -> AuthenticatingReader:
        credentials = credentials_of(scope.settings, await _token_of(request))

        async def accept(principal: Principal) -> None:
            await _remember(request, principal)
            self._check(request, principal)
            scope.actor, scope.awaits_principal = principal, False

        scope.awaits_principal = True
        return AuthenticatingReader(scope.reader, credentials, accept)

    def _check(self, request: HTTPConnection, principal: Principal) -> None:
        if request.scope["endpoint"] not in _usable_without_second_factor:
            principal.require_second_factor(resources_of(request).settings)
        for check in self.checks:
            check(principal)


def requires(permission: str) -> Dependency:
    """Open a route to people and API keys with a permission.

    Use it as `scope: Annotated[Scope, requires("reports:read")]`. Raise ValueError, when the
    application starts, for a permission that does not exist.
    """
    needed = Permission(permission)
    return opening(Authenticated(lambda principal: principal.require(needed)))


def requires_recent(*, minutes: int) -> Callable[[HTTPConnection], Awaitable[None]]:
    """Open a route only to people who have proven recently who they are.

    Use it as `dependencies=[Depends(requires_recent(minutes=5))]`, wherever a stolen access token
    would be enough to stay in or to destroy something. It costs no further statement. API keys
    cannot prove anything: on routes for programs, their scopes alone decide.
    """

    async def require_recent(request: HTTPConnection) -> None:
        (await _principal_of(request)).require_recent_proof(minutes=minutes)

    return require_recent


def usable_without_second_factor(endpoint: Endpoint) -> Endpoint:
    """Let superusers use a route before they have set up the second factor that they need."""
    _usable_without_second_factor.add(endpoint)
    return endpoint


def one_round_trip(endpoint: Endpoint) -> Endpoint:
    """Read the principal together with what the route reads first, in one statement.

    Use it for a GET whose first step is `scope.reader.one(…)` or `first(…)`. Before that,
    `scope.principal` raises RuntimeError.
    """
    _one_round_trip.add(endpoint)
    return endpoint


def opening(authenticated: Authenticated) -> Dependency:
    """Return the dependency that opens the scope of a request."""
    # With the scope "function", FastAPI commits before the response leaves, not after it.
    dependency = Depends(authenticated, scope="function")
    assert isinstance(dependency, Dependency)
    return dependency


async def _principal_of(request: HTTPConnection) -> Principal:
    """Read the principal of the request's token once, however many dependencies ask for it."""
    known = getattr(request.state, "principal", None)
    if isinstance(known, Principal):
        return known
    resources = resources_of(request)
    token = await _token_of(request)
    principal = await authenticate(resources.reader, resources.settings, token)
    await _remember(request, principal)
    return principal


async def expiry_of(request: HTTPConnection) -> float | None:
    """Return when a request's access token expires, in seconds since the epoch. API keys stay."""
    token = await _token_of(request)
    if token.startswith(API_KEY_PREFIX):
        return None
    return verify_access_token(resources_of(request).settings, token).expires_at


async def _token_of(request: HTTPConnection) -> str:
    token = await bearer(request)
    assert token is not None
    return token


async def _remember(request: HTTPConnection, principal: Principal) -> None:
    if principal.unrecorded_use:
        resources = resources_of(request)
        await _record_use(resources, request_info(request, resources.settings), principal)
    request.state.principal = principal


def check_is_person(principal: Principal) -> None:
    if principal.is_api_key:
        raise NotForApiKeys


def _check_is_superuser(principal: Principal) -> None:
    if not principal.is_superuser:
        raise NotEnoughPrivileges


async def _record_use(resources: Resources, info: RequestInfo, principal: Principal) -> None:
    """Use a transaction of its own.

    The use of a key counts even if the request is refused, and other requests with the same key
    do not wait for the end of this one.
    """
    async with open_scope(resources, info, principal) as scope:
        await ApiKeyService(scope).record_use()


UserScope = Annotated[Scope, opening(Authenticated(check_is_person))]
"""For people who are logged in."""

ClientScope = Annotated[Scope, opening(Authenticated())]
"""For people and API keys. The service has to require a permission from `scope.principal`."""

SuperuserScope = Annotated[Scope, opening(Authenticated(check_is_person, _check_is_superuser))]
"""For superusers who are logged in."""
