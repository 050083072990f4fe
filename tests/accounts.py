"""People who use the service, as the tests know them."""

from dataclasses import dataclass
from uuid import UUID

import httpx2

from app.core.resources import Resources
from app.models import User
from app.services.audit import Caller
from app.services.session_service import SessionService

API = "/api/v1"
LOGIN = f"{API}/login/access-token"
SIGNUP = f"{API}/users/signup"
PASSWORD = "correct horse"
ADA = {"email": "ada@example.com", "password": PASSWORD, "full_name": "Ada Lovelace"}
CALLER = Caller("192.0.2.1", "tests")


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


async def someone(
    resources: Resources,
    name: str = "ada",
    *,
    superuser: bool = False,
    password_hash: str | None = None,
) -> Person:
    """Create a user and a session, without the time that hashing a password takes."""
    async with resources.unit_of_work() as uow:
        user = User(
            email=f"{name}@example.com",
            full_name=name.title(),
            is_superuser=superuser,
            password_hash=password_hash,
        )
        uow.session.add(user)
        await uow.session.flush()
        tokens = await SessionService(uow, resources.settings, CALLER).open(user)
        page = await SessionService(uow, resources.settings, CALLER).list(user.id, skip=0, limit=1)
        [session] = page.data
    return Person(user.id, user.email, session.id, tokens.access_token, tokens.refresh_token)


def bearer(access_token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {access_token}"}


async def log_in(
    client: httpx2.AsyncClient, email: str = ADA["email"], password: str = PASSWORD
) -> httpx2.Response:
    """Log in as the form of a login page does."""
    return await client.post(LOGIN, data={"username": email, "password": password})
