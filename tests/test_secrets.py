"""After all uses of secrets, none of them is in a log, in a table, or in Redis."""

import re
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import cast
from urllib.parse import urlsplit

import httpx2
import pytest
from pydantic import SecretStr
from redis.asyncio import Redis
from sqlalchemy import text

from app.core.config import Settings
from app.core.resources import Resources
from app.models import Base
from dev.mail_catcher import MailCatcher
from dev.processes import free_port
from tests.support.accounts import ADA, API, SIGNUP, bearer, log_in
from tests.support.authenticator import read_secret
from tests.support.oidc_provider import CLIENT_SECRET, TestProvider, run_provider
from tests.support.processes import Process, run_process
from tests.support.waiting import STALLED_AFTER

LINK = re.compile(r"/([\w-]+)\?token=([\w-]{43})\s")

READ = {
    b"string": ["GET"],
    b"hash": ["HGETALL"],
    b"list": ["LRANGE", "0", "-1"],
    b"set": ["SMEMBERS"],
    b"zset": ["ZRANGE", "0", "-1"],
    b"stream": ["XRANGE", "-", "+"],
}
"""The command that reads a whole key, by its type."""

PLANTED = {
    "first password": "hunter of snarks",
    "second password": "boojum you see",
    "third password": "jubjub in the glen",
    "mistyped password": "hunter of snorks",
    "too short a password": "bndrsnt",
    "superuser's password": "beamish my boy!",
    "SECRET_KEY": "vorpal-blade-went-snicker-snack-0123456789",
    "SMTP_PASSWORD": "frumious-post",
    "OIDC_ACME_CLIENT_SECRET": CLIENT_SECRET,
}


@pytest.fixture
def acme() -> Iterator[TestProvider]:
    with run_provider() as provider:
        yield provider


@pytest.fixture
def settings_with_secrets(committing_resources: Resources, acme: TestProvider) -> Settings:
    return committing_resources.settings.model_copy(
        update={
            "log_level": "debug",
            "secret_key": SecretStr(PLANTED["SECRET_KEY"]),
            "smtp_user": "postman",
            "smtp_password": SecretStr(PLANTED["SMTP_PASSWORD"]),
            "first_superuser_email": "root@example.com",
            "first_superuser_password": SecretStr(PLANTED["superuser's password"]),
            "oidc_providers": {"acme": acme.settings},
        }
    )


async def test_no_secret_is_found_in_any_log_table_or_redis(
    settings_with_secrets: Settings, committing_resources: Resources, mail_catcher: MailCatcher
) -> None:
    async with service(settings_with_secrets) as (client, processes):
        secrets = PLANTED | await live(client, mail_catcher)
    secrets["DATABASE_URL's password"] = (
        urlsplit(committing_resources.settings.database_url).password or ""
    )
    secrets["REDIS_URL's password"] = (
        urlsplit(committing_resources.settings.redis_url).password or ""
    )
    places = {
        "logs": "".join(process.output for process in processes),
        "tables": await tables(committing_resources),
        "Redis": await redis(committing_resources.settings),
    }

    assert len(secrets) >= 20
    assert all(len(secret) >= 7 for secret in secrets.values())
    assert "debug" in places["logs"]
    assert ADA["email"] in places["tables"]
    assert places["Redis"]
    found = {(s, place) for s in secrets for place in places if secrets[s] in places[place]}
    assert found == set()


@asynccontextmanager
async def service(
    settings: Settings,
) -> AsyncIterator[tuple[httpx2.AsyncClient, list[Process]]]:
    """Run the API and both workers, and end them as a deployment does."""
    port = free_port()
    api = ("run_api.py", "--port", str(port))
    async with AsyncExitStack() as stack:
        processes = [
            await stack.enter_async_context(run_process(settings, *arguments))
            for arguments in (api, ("run_base_worker.py",), ("run_email_worker.py",))
        ]
        await processes[0].wait_for_line("Application startup complete")
        client = await stack.enter_async_context(
            httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=STALLED_AFTER)
        )
        async with AsyncExitStack() as hearing:
            for process in processes:
                await hearing.enter_async_context(process.reading_output())
            yield client, processes
        for process in processes:
            process.signal(signal.SIGTERM)
            await process.wait_for_exit()


async def live(client: httpx2.AsyncClient, mail_catcher: MailCatcher) -> dict[str, str]:
    """Use secrets in all correct and wrong ways, and return them."""
    first, second, third = (PLANTED[f"{which} password"] for which in ("first", "second", "third"))
    wrong = PLANTED["mistyped password"]
    short = ADA | {"password": PLANTED["too short a password"]}
    assert (await client.post(SIGNUP, json=short)).status_code == 422
    assert (await client.post(SIGNUP, json=ADA | {"password": first})).status_code == 201
    verification = await token(mail_catcher, "verify-email")
    for status in (200, 400):
        answer = await client.post(f"{API}/verify-email/", json={"token": verification})
        assert answer.status_code == status

    assert (await log_in(client, password=wrong)).status_code == 400
    login = (await log_in(client, password=first)).json()
    renew = {"refresh_token": login["refresh_token"]}
    renewed = (await client.post(f"{API}/login/refresh", json=renew)).json()
    headers = bearer(renewed["access_token"])
    for current, status in ((wrong, 400), (first, 200)):
        body = {"current_password": current, "new_password": second}
        answer = await client.patch(f"{API}/users/me/password", json=body, headers=headers)
        assert answer.status_code == status

    await client.post(f"{API}/password-recovery/{ADA['email']}")
    reset = await token(mail_catcher, "reset-password")
    for status in (200, 400):
        body = {"token": reset, "new_password": third}
        assert (await client.post(f"{API}/reset-password/", json=body)).status_code == status
    last = (await log_in(client, password=third)).json()
    grown = await use_a_key(client, last) | await use_a_second_factor(client, last)
    return grown | {
        "verification token": verification,
        "reset token": reset,
        "access token": login["access_token"],
        "renewed access token": renewed["access_token"],
        "refresh token": login["refresh_token"],
        "renewed refresh token": renewed["refresh_token"],
        "last refresh token": last["refresh_token"],
    }


async def use_a_key(client: httpx2.AsyncClient, login: dict[str, str]) -> dict[str, str]:
    data = {"name": "import", "scopes": ["reports:read"]}
    proof = {"current_password": PLANTED["third password"]}
    headers = bearer(login["access_token"])
    created = await client.post(f"{API}/users/me/api-keys", json=data | proof, headers=headers)
    key = str(created.json()["key"])
    for used, status in ((key, 403), (key[:-1] + "?", 401)):
        answer = await client.get(f"{API}/reports/", headers=bearer(used))
        assert answer.status_code == status
    return {"API key": key}


async def use_a_second_factor(client: httpx2.AsyncClient, login: dict[str, str]) -> dict[str, str]:
    """Set up a second factor, and log in with a code, with a recovery code, and with a provider."""
    factor, headers = f"{API}/users/me/second-factor", bearer(login["access_token"])
    password = PLANTED["third password"]
    begun = await client.post(factor, json={"current_password": password}, headers=headers)
    app = read_secret(begun.json()["secret"])
    body = {"code": app.code()}
    codes = (await client.post(f"{factor}/confirm", json=body, headers=headers)).json()
    first, second, *_ = codes["recovery_codes"]
    challenges = []
    for code, status in ((first, 200), (app.wrong_code, 400), (second, 200)):
        challenge = (await log_in(client, password=password)).json()["second_factor"]["token"]
        entry = await client.post(
            f"{API}/login/second-factor", json={"token": challenge, "code": code}
        )
        assert entry.status_code == status
        challenges.append(challenge)
    return {
        "TOTP secret": begun.json()["secret"],
        "used recovery code": first,
        "second used recovery code": second,
        "recovery code": codes["recovery_codes"][-1],
        "second factor's token": challenges[0],
        "second factor's token after a wrong code": challenges[1],
        "provider's token": await log_in_with_acme(client),
    }


async def log_in_with_acme(client: httpx2.AsyncClient) -> str:
    """Log in at the provider, and return the data for the second step of the login."""
    begun = await client.get(f"{API}/login/oidc/acme")
    there = await client.get(begun.headers["location"])
    back = urlsplit(there.headers["location"])
    cookie = begun.headers["set-cookie"].partition(";")[0]
    ended = await client.get(f"{back.path}?{back.query}", headers={"Cookie": cookie})
    return str(ended.headers["location"].partition("#second_factor_token=")[2])


async def token(mail_catcher: MailCatcher, page: str) -> str:
    """Return the token of the next email with a link to a page."""
    while True:
        email = await mail_catcher.anext()
        for found, secret in LINK.findall(email.text or ""):
            if found == page:
                return str(secret)


async def tables(resources: Resources) -> str:
    """Read all rows of all tables."""
    async with resources.database.engine.connect() as connection:
        rows = [
            str(row)
            for table in Base.metadata.sorted_tables
            for row in await connection.execute(text(f"SELECT t::text FROM {table.name} t"))  # noqa: S608  a name of ours
        ]
    return "\n".join(rows)


async def redis(settings: Settings) -> str:
    """Read all keys in all Redis databases of the service."""
    found: list[object] = []
    for url in {settings.redis_url, *settings.queue_redis_urls.values()}:
        async with Redis.from_url(url) as client:
            found += [await value(client, key) async for key in client.scan_iter()]
    return "\n".join(map(str, found))


async def value(client: Redis, key: bytes) -> object:
    command, *arguments = READ[cast("bytes", await client.type(key))]
    return key, await client.execute_command(command, key, *arguments)  # type: ignore[no-untyped-call]
