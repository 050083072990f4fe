"""A password of a data breach is refused where BREACHED_PASSWORDS_URL is set."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha1

import httpx2
import pytest
from pydantic import HttpUrl, SecretStr
from sqlalchemy import select
from structlog.testing import capture_logs

from app.core.config import Settings
from app.core.resources import Resources
from app.core.security.breached_passwords import is_breached
from app.models import User
from tests.support.accounts import ADA, API, SIGNUP, Person, create_user
from tests.support.passwords import hash_password
from tests.support.ports import resetting_server
from tests.support.service import build_service, serve, with_settings

BREACHED = "a long but famous passphrase"
DIGEST = sha1(BREACHED.encode(), usedforsecurity=False).hexdigest().upper()
ANSWER = f"{'0' * 35}:7\r\n{DIGEST[5:]}:42\r\n{'F' * 35}:0"
REFUSAL = "Password was found in a data breach. Choose another one"


@dataclass
class Breaches:
    """A service that knows one password and answers like the real one."""

    body: str
    status: str
    asked: list[str] = field(default_factory=list)
    port: int = 0

    def settings(self, settings: Settings) -> Settings:
        url = HttpUrl(f"http://127.0.0.1:{self.port}/range")
        return settings.model_copy(update={"breached_passwords_url": url})

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.asked.append((await reader.readuntil(b"\r\n\r\n")).decode())
        head = f"HTTP/1.1 {self.status}\r\nContent-Length: {len(self.body)}\r\nConnection: close"
        writer.write(f"{head}\r\n\r\n{self.body}".encode())
        await writer.drain()
        writer.close()


@asynccontextmanager
async def run_breaches(*, body: str = ANSWER, status: str = "200 OK") -> AsyncIterator[Breaches]:
    breaches = Breaches(body, status)
    server = await asyncio.start_server(breaches.answer, "127.0.0.1", 0)
    breaches.port = server.sockets[0].getsockname()[1]
    async with server:
        yield breaches


async def test_a_password_of_a_breach_is_found_and_another_is_not(settings: Settings) -> None:
    async with run_breaches() as breaches:
        changed = breaches.settings(settings)
        assert await is_breached(changed, BREACHED)
        assert not await is_breached(changed, "a long and unknown passphrase")


async def test_padding_in_the_answer_is_not_a_breach(settings: Settings) -> None:
    async with run_breaches(body=f"{DIGEST[5:]}:0") as breaches:
        assert not await is_breached(breaches.settings(settings), BREACHED)


async def test_the_service_learns_five_digits_of_a_hash_and_nothing_else(
    settings: Settings,
) -> None:
    async with run_breaches() as breaches:
        await is_breached(breaches.settings(settings), BREACHED)

    [request] = breaches.asked
    assert request.startswith(f"GET /range/{DIGEST[:5]} HTTP/1.1\r\n")
    assert "add-padding: true" in request.lower()
    assert DIGEST[5:10] not in request.upper()


async def test_by_default_no_service_is_asked(settings: Settings) -> None:
    assert type(settings).model_fields["breached_passwords_url"].default is None
    assert not await is_breached(settings, BREACHED)


async def test_while_the_service_ends_connections_at_once_the_password_is_accepted(
    settings: Settings,
) -> None:
    with resetting_server(turns=1) as port, capture_logs() as logs:
        assert not await is_breached(Breaches("", "", port=port).settings(settings), BREACHED)

    [line] = logs
    assert line["event"] == "breached_passwords.unavailable"


@pytest.mark.parametrize("failure", ["an error", "no server"])
async def test_while_the_service_fails_the_password_is_accepted_and_the_log_says_so(
    settings: Settings, failure: str
) -> None:
    async with run_breaches(status="500 Internal Server Error") as breaches:
        changed = breaches.settings(settings)
        if failure == "an error":
            with capture_logs() as logs:
                assert not await is_breached(changed, BREACHED)
    if failure == "no server":
        with capture_logs() as logs:
            assert not await is_breached(changed, BREACHED)

    assert [(line["event"], line["log_level"]) for line in logs] == [
        ("breached_passwords.unavailable", "warning")
    ]
    assert DIGEST[:5] not in str(logs)


async def choose(
    client: httpx2.AsyncClient, how: str, ada: Person, root: Person
) -> httpx2.Response:
    me, users = f"{API}/users/me", f"{API}/users/"
    new = ADA | {"email": "new@example.com", "password": BREACHED}
    change = {"current_password": ADA["password"], "new_password": BREACHED}
    match how:
        case "a sign-up":
            return await client.post(SIGNUP, json=new)
        case "a change":
            return await client.patch(f"{me}/password", json=change, headers=ada.headers)
        case "an invitation":
            return await client.post(users, json=new, headers=root.headers)
        case _:
            body = {"password": BREACHED}
            return await client.patch(f"{users}{ada.id}", json=body, headers=root.headers)


@pytest.mark.parametrize("how", ["a sign-up", "a change", "an invitation", "an administrator"])
async def test_no_user_gets_a_password_of_a_breach(resources: Resources, how: str) -> None:
    ada = await create_user(resources, password_hash=await hash_password(ADA["password"]))
    root = await create_user(resources, "root", superuser=True)
    async with run_breaches() as breaches:
        url = breaches.settings(resources.settings).breached_passwords_url
        async with serve(with_settings(resources, breached_passwords_url=url)) as client:
            refused = await choose(client, how, ada, root)

    assert refused.status_code == 422
    assert REFUSAL in refused.text


async def test_the_first_superuser_gets_no_password_of_a_breach_and_the_service_starts(
    resources: Resources,
) -> None:
    async with run_breaches() as breaches:
        wanted = with_settings(
            resources,
            breached_passwords_url=breaches.settings(resources.settings).breached_passwords_url,
            first_superuser_email="root@example.com",
            first_superuser_password=SecretStr(BREACHED),
        )
        service = build_service(wanted)
        with capture_logs() as logs:
            async with serve(service) as client:
                assert (await client.get("/health/live")).status_code == 200

    [refusal] = [line for line in logs if line["event"] == "first_superuser.refused"]
    assert (refusal["log_level"], refusal["reason"]) == ("error", REFUSAL)
    assert BREACHED not in str(logs)
    assert await resources.reader.all(select(User.id)) == []
