"""Users of the service, and how they log in."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import httpx2
from uuid_utils.compat import uuid7

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


_ADD_USER = """
WITH added_user AS (
  INSERT INTO users (id, email, full_name, is_superuser, password_hash, email_verified_at)
  VALUES ($1, $2, $3, $4, $5, $6)
), added_session AS (
  INSERT INTO sessions (id, user_id, user_agent, address, expires_at)
  VALUES ($7, $1, $8, $9, $10)
)
INSERT INTO refresh_tokens (token_hash, session_id) VALUES ($11, $7)
"""


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
    """Create a user and a session with one statement, because most tests begin with it.

    It leaves no trace in the audit trail or the devices.
    """
    user_id, session_id, refresh_token = uuid7(), uuid7(), new_token()
    now, email = datetime.now(UTC), f"{name}@example.com"
    settings = resources.settings
    await resources.database.fetch(
        _ADD_USER,
        [
            user_id,
            email,
            name.title(),
            superuser,
            password_hash,
            now if confirmed else None,
            session_id,
            REQUEST_INFO.user_agent,
            REQUEST_INFO.ip_address,
            now + timedelta(seconds=settings.session_idle_lifetime),
            hash_token(refresh_token),
        ],
    )
    access_token = issue_access_token(settings, AccessToken(user_id, session_id))
    return Person(user_id, email, session_id, access_token, refresh_token)


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
