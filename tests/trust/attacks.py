"""Actions of an attacker, and of the owner who takes the account back."""

from datetime import UTC, datetime

import httpx2
from sqlalchemy import select

from app.core.resources import Resources
from app.models import ApiKey, Identity, TotpFactor, User
from tests.support.accounts import ADA, API, PASSWORD, Person, bearer, log_in
from tests.support.api_keys import create_api_key
from tests.support.authenticator import read_secret

NEW = "a fresh battery"
ATTACKERS = "mallory@example.net"
ME = f"{API}/users/me"


async def log_in_as(client: httpx2.AsyncClient, email: str, password: str) -> dict[str, str]:
    """Log in, and return the headers of the session."""
    answer = await log_in(client, email, password)
    assert answer.status_code == 200, answer.text
    return bearer(answer.json()["access_token"])


async def create_key(client: httpx2.AsyncClient, session: dict[str, str]) -> httpx2.Response:
    data = {"name": "x", "scopes": ["jobs:read"], "current_password": PASSWORD}
    return await client.post(f"{ME}/api-keys", json=data, headers=session)


async def add_second_factor(client: httpx2.AsyncClient, session: dict[str, str]) -> httpx2.Response:
    """Set up an authenticator app. Return the answer of the last step."""
    proof = {"current_password": PASSWORD}
    begun = await client.post(f"{ME}/second-factor", json=proof, headers=session)
    if begun.status_code != 201:
        return begun
    code = {"code": read_secret(begun.json()["secret"]).code()}
    return await client.post(f"{ME}/second-factor/confirm", json=code, headers=session)


async def request_email_change(
    client: httpx2.AsyncClient, session: dict[str, str], email: str = ATTACKERS
) -> httpx2.Response:
    data = {"email": email, "current_password": PASSWORD}
    return await client.patch(ME, json=data, headers=session)


async def verify(client: httpx2.AsyncClient, token: str) -> httpx2.Response:
    return await client.post(f"{API}/verify-email/", json={"token": token})


async def request_recovery(client: httpx2.AsyncClient, email: str = ADA["email"]) -> None:
    answer = await client.post(f"{API}/password-recovery/{email}")
    assert answer.status_code == 200


async def reset(client: httpx2.AsyncClient, token: str, password: str = NEW) -> httpx2.Response:
    body = {"token": token, "new_password": password}
    return await client.post(f"{API}/reset-password/", json=body)


async def report(client: httpx2.AsyncClient, token: str) -> httpx2.Response:
    """Follow the link "this wasn't me" of an alert."""
    return await client.post(f"{API}/report-takeover/", json={"token": token})


async def plant_credentials(resources: Resources, person: Person) -> str:
    """Add a key, a factor, and an identity, as an earlier release allowed. Return the key."""
    _, key = await create_api_key(resources, person)
    async with resources.unit_of_work() as uow:
        factor = TotpFactor(user_id=person.id, encrypted_secret=b"x", confirmed_at=now())
        identity = Identity(user_id=person.id, provider="acme", subject=ATTACKERS, email=ATTACKERS)
        uow.session.add_all([factor, identity])
    return key


async def credentials_of(resources: Resources, person: Person) -> list[str]:
    """Return the kinds of credentials that a user has."""
    async with resources.unit_of_work() as uow:
        return [
            table.__tablename__
            for table in (ApiKey, TotpFactor, Identity)
            if await uow.session.scalar(select(table).where(table.user_id == person.id))
        ]


async def stored(resources: Resources, person: Person) -> User:
    async with resources.unit_of_work() as uow:
        user = await uow.session.get(User, person.id)
    assert user is not None
    return user


async def status_of(client: httpx2.AsyncClient, headers: dict[str, str], path: str = ME) -> int:
    return (await client.get(path, headers=headers)).status_code


def now() -> datetime:
    return datetime.now(UTC)
