"""Users of the service, and how they log in."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import httpx2

from app.core.resources import Resources
from app.core.security.access_tokens import AccessToken, issue_access_token
from app.core.security.tokens import hash_token, new_token
from app.models import RefreshToken, Role, User, UserRole, UserSession
from app.services.auth.authentication import authenticate
from app.services.scope import RequestInfo, Scope, open_scope

API = "/api/v1"
LOGIN = f"{API}/login/access-token"
SIGNUP = f"{API}/users/signup"
PASSWORD = "correct horse"
ADA = {"email": "ada@example.com", "password": PASSWORD, "full_name": "Ada Lovelace"}
REQUEST_INFO = RequestInfo("192.0.2.1", "tests")


@dataclass(frozen=True)
class Person:
    """A user who is logged in."""

    id: UUID
    email: str
    session_id: UUID
    access_token: str
    refresh_token: str

    @property
    def headers(self) -> dict[str, str]:
        return bearer(self.access_token)


async def create_user(
    resources: Resources,
    name: str = "ada",
    *,
    superuser: bool = False,
    password_hash: str | None = None,
    confirmed: bool = True,
) -> Person:
    """Create a user and a session without hashing a password."""
    async with open_anonymous_scope(resources) as scope:
        return await add_user(
            scope, name, superuser=superuser, password_hash=password_hash, confirmed=confirmed
        )


async def add_user(
    scope: Scope,
    name: str,
    *,
    superuser: bool = False,
    password_hash: str | None = None,
    confirmed: bool = True,
) -> Person:
    """Create a user and a session in a transaction of the caller."""
    user = User(
        email=f"{name}@example.com",
        full_name=name.title(),
        is_superuser=superuser,
        password_hash=password_hash,
        email_verified_at=datetime.now(UTC) if confirmed else None,
    )
    scope.uow.session.add(user)
    await scope.uow.session.flush()
    return await open_session(scope, user)


async def open_session(scope: Scope, user: User) -> Person:
    """Open a session as a login does, which leaves no trace in the audit trail or the devices."""
    request, refresh_token = scope.request, new_token()
    session = UserSession(
        user_id=user.id,
        user_agent=request.user_agent,
        ip_address=request.ip_address,
        expires_at=datetime.now(UTC) + timedelta(seconds=scope.settings.session_idle_lifetime),
    )
    scope.uow.session.add(session)
    await scope.uow.session.flush()
    token = RefreshToken(token_hash=hash_token(refresh_token), session_id=session.id)
    scope.uow.session.add(token)
    access_token = issue_access_token(scope.settings, AccessToken(user.id, session.id))
    return Person(user.id, user.email, session.id, access_token, refresh_token)


async def allow(resources: Resources, person: Person, *permissions: str) -> None:
    """Give a user a role with permissions."""
    async with resources.unit_of_work() as uow:
        role = Role(name=f"role of {person.email}", permissions=[*permissions])
        uow.session.add(role)
        await uow.session.flush()
        uow.session.add(UserRole(user_id=person.id, role_id=role.id))


def open_anonymous_scope(resources: Resources) -> AbstractAsyncContextManager[Scope]:
    """Open the scope of a request without a login."""
    return open_scope(resources, REQUEST_INFO)


@asynccontextmanager
async def open_user_scope(resources: Resources, person: Person) -> AsyncIterator[Scope]:
    """Open the scope of a request with a person's access token."""
    principal = await authenticate(resources.reader, resources.settings, person.access_token)
    async with open_scope(resources, REQUEST_INFO, principal) as scope:
        yield scope


def bearer(access_token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {access_token}"}


async def log_in(
    client: httpx2.AsyncClient, email: str = ADA["email"], password: str = PASSWORD
) -> httpx2.Response:
    """Log in with the form of a login page."""
    return await client.post(LOGIN, data={"username": email, "password": password})
