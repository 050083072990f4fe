"""Dependencies that authenticate a request, and open its scope.

`UserScope` is for people, `ClientScope` also for API keys, and `SuperuserScope` for superusers.
`requires("reports:read")` is a `ClientScope` with a permission. They are not nested, because each
nested dependency takes 50 to 100 µs per request.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated, Any, TypeVar

from fastapi.params import Depends as Dependency
from fastapi.requests import HTTPConnection
from fastapi.security import OAuth2PasswordBearer
from fastapi.security.base import SecurityBase

from app.core.security.access_tokens import verify_access_token
from app.routes.deps.request import open_request_scope, resources_of, scope_dependency
from app.schemas.role import Permission
from app.services.auth.api_key_service import ApiKeyService, NotForApiKeys
from app.services.auth.authentication import API_KEY_PREFIX, authenticate, credentials_of
from app.services.auth.joined_authentication import AuthenticatingReader
from app.services.auth.principal import NotEnoughPrivileges, Principal
from app.services.scope import Scope

Endpoint = TypeVar("Endpoint", bound=Callable[..., Awaitable[object]])
Check = Callable[[Principal], None]

bearer = OAuth2PasswordBearer(tokenUrl="/api/v1/login/access-token")

_usable_without_second_factor: set[Callable[..., Any]] = set()
_one_round_trip: set[Callable[..., Any]] = set()
_autocommit: set[Callable[..., Any]] = set()


class Authenticated(SecurityBase):
    """Opens the scope of a request for a principal who passes the checks.

    The principal is read outside of the scope's transaction, so that a route that hashes a password
    before its first statement holds no connection.
    """

    model = bearer.model
    scheme_name = bearer.scheme_name

    def __init__(self, *checks: Check) -> None:
        self.checks = checks

    async def __call__(self, request: HTTPConnection) -> AsyncIterator[Scope]:
        endpoint = request.scope["endpoint"]
        joins, autocommits = endpoint in _one_round_trip, endpoint in _autocommit
        principal = None if joins else await self.authenticate(request)
        async with open_request_scope(request, principal, autocommits=autocommits) as scope:
            if not joins:
                yield scope
                return
            scope.reader = reader = await self._authenticating_reader(request, scope)
            try:
                yield scope
            finally:
                # Authenticate before any response, even one about an invalid parameter.
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
    """Allow a route for people and API keys with a permission.

    Use it as `scope: Annotated[Scope, requires("reports:read")]`. An unknown permission raises
    ValueError when the application starts.
    """
    needed = Permission(permission)
    return scope_dependency(Authenticated(lambda principal: principal.require(needed)))


def requires_recent(*, minutes: int) -> Callable[[HTTPConnection], Awaitable[None]]:
    """Allow a route only for people who have recently proven who they are.

    Use it as `dependencies=[Depends(requires_recent(minutes=5))]` on routes with which the holder
    of a stolen access token could keep access or destroy data. It needs no extra statement. API
    keys cannot prove anything, so on routes for programs, only their scopes decide.
    """

    async def require_recent(request: HTTPConnection) -> None:
        (await _principal_of(request)).require_recent_proof(minutes=minutes)

    return require_recent


def usable_without_second_factor(endpoint: Endpoint) -> Endpoint:
    """Let superusers use a route before they have set up their required second factor."""
    _usable_without_second_factor.add(endpoint)
    return endpoint


def one_round_trip(endpoint: Endpoint) -> Endpoint:
    """Read the principal together with the route's first rows, in one statement.

    Use it for a GET whose first step is `scope.reader.one(…)` or `first(…)`. Before that,
    `scope.principal` raises RuntimeError.
    """
    return _mark(endpoint, _one_round_trip, unless_in=_autocommit)


def autocommit(endpoint: Endpoint) -> Endpoint:
    """Commit the only statement of a route with itself, without BEGIN and COMMIT around it.

    Use it for a route whose last step is one `scope.uow.insert(…)`, because a failure after the
    statement does not undo it. `uow.session`, `uow.enqueue(…)`, an audit event, and a second
    statement raise RuntimeError.
    """
    return _mark(endpoint, _autocommit, unless_in=_one_round_trip)


def _mark(
    endpoint: Endpoint, own: set[Callable[..., Any]], *, unless_in: set[Callable[..., Any]]
) -> Endpoint:
    if endpoint in unless_in:
        raise ValueError(
            f"{endpoint.__name__} cannot have both @one_round_trip and @autocommit: "
            "the first refuses a request after the second has committed its write"
        )
    own.add(endpoint)
    return endpoint


async def expiry_of(request: HTTPConnection) -> float | None:
    """Return when an access token expires, in seconds since the epoch, or None for an API key."""
    token = await _token_of(request)
    if token.startswith(API_KEY_PREFIX):
        return None
    return verify_access_token(resources_of(request).settings, token).expires_at


def check_is_person(principal: Principal) -> None:
    if principal.is_api_key:
        raise NotForApiKeys


def check_is_superuser(principal: Principal) -> None:
    if not principal.is_superuser:
        raise NotEnoughPrivileges


UserScope = Annotated[Scope, scope_dependency(Authenticated(check_is_person))]
"""For people who are logged in."""

ClientScope = Annotated[Scope, scope_dependency(Authenticated())]
"""For people and API keys. The service must require a permission of `scope.principal`."""

SuperuserScope = Annotated[
    Scope, scope_dependency(Authenticated(check_is_person, check_is_superuser))
]
"""For superusers who are logged in."""


async def _principal_of(request: HTTPConnection) -> Principal:
    """Read the principal of the request's token, only once per request."""
    known = request.scope["state"].get("principal")
    if isinstance(known, Principal):
        return known
    resources = resources_of(request)
    token = await _token_of(request)
    principal = await authenticate(resources.reader, resources.settings, token)
    await _remember(request, principal)
    return principal


async def _token_of(request: HTTPConnection) -> str:
    token = await bearer(request)
    assert token is not None
    return token


async def _remember(request: HTTPConnection, principal: Principal) -> None:
    if principal.unrecorded_use:
        # In a separate transaction, so that the use is recorded even if the request is rejected,
        # and other requests with the same API key do not wait for this one.
        async with open_request_scope(request, principal) as scope:
            await ApiKeyService(scope).record_use()
    request.scope["state"]["principal"] = principal
