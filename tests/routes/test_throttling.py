import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from ipaddress import ip_network

import httpx2
import pytest
import structlog

from app.core.redis_connections.opening import open_blocking_client
from app.core.resources import Resources
from app.core.security.attempts import Action
from app.core.security.throttle import open_throttle
from app.core.urls.redis import RedisAddress
from tests.support.accounts import ADA, API, PASSWORD, SIGNUP, Person, create_user, log_in
from tests.support.limits import limits
from tests.support.passwords import HeldPasswords, hash_password
from tests.support.ports import CLOSED_PORT
from tests.support.processes import run_process
from tests.support.service import serve
from tests.support.waiting import STALLED_AFTER, wait_until

WRONG = "wrong horse"


@asynccontextmanager
async def service(
    resources: Resources,
    changes: Mapping[str, object] | None = None,
    *,
    address: str = "192.0.2.7",
) -> AsyncIterator[httpx2.AsyncClient]:
    """Serve a client at an IP address, with other settings."""
    settings = resources.settings.model_copy(update=changes)
    async with open_throttle(settings) as throttle:
        changed = replace(resources, settings=settings, throttle=throttle)
        async with serve(changed, address=address) as client:
            yield client


async def statuses(client: httpx2.AsyncClient, email: str, times: int) -> list[int]:
    return [(await log_in(client, email, WRONG)).status_code for _ in range(times)]


async def test_the_eleventh_wrong_password_has_to_wait(
    client: httpx2.AsyncClient, ada: Person
) -> None:
    assert await statuses(client, ada.email, 10) == [400] * 10

    refused = await log_in(client, ada.email, PASSWORD)
    assert (refused.status_code, refused.json()["detail"]) == (
        429,
        "Too many attempts. Try again later.",
    )
    assert 0 < int(refused.headers["retry-after"]) <= 900


async def test_fifty_wrong_passwords_at_once_are_ten_guesses(
    committing_resources: Resources,
) -> None:
    ada = await create_user(committing_resources, password_hash=await hash_password(PASSWORD))
    async with service(committing_resources) as client:
        answers = await asyncio.gather(*(log_in(client, ada.email, WRONG) for _ in range(50)))

    codes = [answer.status_code for answer in answers]
    assert (codes.count(400), codes.count(429)) == (10, 40)


async def test_simultaneous_guesses_beyond_the_limit_are_not_checked(
    committing_resources: Resources,
) -> None:
    ada = await create_user(committing_resources, password_hash=await hash_password(PASSWORD))
    passwords = HeldPasswords()
    held = replace(committing_resources, passwords=passwords)
    async with service(held, limits(account=3)) as client:
        right = asyncio.create_task(log_in(client, ada.email, PASSWORD))
        await passwords.verified.wait()
        assert await statuses(client, ada.email, 3) == [400, 400, 429]
        assert (await log_in(client, ada.email, PASSWORD)).status_code == 429
        passwords.release.set()

        assert (await right).status_code == 200


async def test_an_unknown_email_is_limited_like_a_known_one(
    client: httpx2.AsyncClient,
) -> None:
    assert await statuses(client, "nobody@example.com", 11) == [400] * 10 + [429]


async def test_correct_passwords_are_not_counted(committing_resources: Resources) -> None:
    ada = await create_user(committing_resources, password_hash=await hash_password(PASSWORD))
    async with service(committing_resources, limits(address=10)) as client:
        answers = [await log_in(client, ada.email) for _ in range(15)]

    assert {answer.status_code for answer in answers} == {200}


async def test_another_spelling_of_an_email_is_the_same_account(
    client: httpx2.AsyncClient, ada: Person
) -> None:
    for spelling in (ada.email, ada.email.upper(), f" {ada.email} "):
        await statuses(client, spelling, 4)

    assert (await log_in(client, ada.email)).status_code == 429


async def test_an_ip_address_is_limited_whatever_accounts_it_tries(resources: Resources) -> None:
    async with service(resources, limits(address=10)) as client:
        tries = [(await log_in(client, f"{n}@example.com", WRONG)).status_code for n in range(11)]

    assert tries == [400] * 10 + [429]


async def test_guesses_lock_the_owner_out_for_at_most_one_window(
    resources: Resources, ada: Person
) -> None:
    async with service(resources, {"throttle_window": 2} | limits(account=1)) as client:
        await statuses(client, ada.email, 1)
        refused = await log_in(client, ada.email)

        async def may_log_in() -> bool:
            return (await log_in(client, ada.email)).status_code == 200

        await wait_until(may_log_in)

    assert int(refused.headers["retry-after"]) <= 2


async def test_strangers_cannot_lock_the_owner_out_of_a_known_ip_address(
    resources: Resources, ada: Person
) -> None:
    async with service(resources, address="192.0.2.1") as home:
        assert (await log_in(home, ada.email)).status_code == 200
        async with service(resources, address="198.51.100.9") as elsewhere:
            assert await statuses(elsewhere, ada.email, 11) == [400] * 10 + [429]
        assert (await log_in(home, ada.email)).status_code == 200


@pytest.mark.parametrize("path", ["password-recovery", "verify-email"])
async def test_emails_to_one_address_are_requested_ten_times_at_most(
    client: httpx2.AsyncClient, path: str
) -> None:
    answers = [await client.post(f"{API}/{path}/ada@example.com") for _ in range(11)]

    assert [answer.status_code for answer in answers] == [200] * 10 + [429]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("reset-password/", {"token": "guess", "new_password": "a fresh battery"}),
        ("verify-email/", {"token": "guess"}),
    ],
)
async def test_guesses_of_an_emailed_token_are_counted(
    resources: Resources, path: str, body: dict[str, str]
) -> None:
    async with service(resources, limits(address=10)) as client:
        answers = [await client.post(f"{API}/{path}", json=body) for _ in range(11)]

    assert [answer.status_code for answer in answers] == [400] * 10 + [429]


async def test_one_email_signs_up_ten_times_at_most(resources: Resources) -> None:
    async with service(resources, limits(address=10)) as client:
        answers = [
            await client.post(SIGNUP, json=ADA | {"email": f"{n}@example.com"}) for n in range(11)
        ]

    assert [answer.status_code for answer in answers] == [201] * 10 + [429]


async def test_guesses_of_the_password_within_a_session_are_counted(
    client: httpx2.AsyncClient, ada: Person
) -> None:
    body = {"current_password": WRONG, "new_password": "a fresh battery"}
    answers = [
        await client.patch(f"{API}/users/me/password", json=body, headers=ada.headers)
        for _ in range(11)
    ]

    assert [answer.status_code for answer in answers] == [400] * 10 + [429]


async def test_simultaneous_guesses_within_a_session_are_not_checked_beyond_the_limit(
    committing_resources: Resources,
) -> None:
    ada = await create_user(committing_resources, password_hash=await hash_password(PASSWORD))
    passwords = HeldPasswords()
    held = replace(committing_resources, passwords=passwords)
    async with service(held, limits(account=3)) as client:

        async def guess(password: str) -> int:
            body = {"current_password": password, "new_password": "a fresh battery"}
            url = f"{API}/users/me/password"
            return (await client.patch(url, json=body, headers=ada.headers)).status_code

        right = asyncio.create_task(guess(PASSWORD))
        await passwords.verified.wait()
        assert [await guess(WRONG) for _ in range(3)] == [400, 400, 429]
        passwords.release.set()

        assert await right == 200


async def test_while_redis_is_down_logins_work_and_the_log_says_so(
    resources: Resources, ada: Person
) -> None:
    away = f"redis://127.0.0.1:{CLOSED_PORT}"
    async with service(resources, {"redis_url": away} | limits(account=2)) as client:
        with structlog.testing.capture_logs() as lines:
            assert (await log_in(client, ada.email)).status_code == 200
            assert await statuses(client, ada.email, 3) == [400] * 3

    told = [line for line in lines if line["event"] == "throttle.unavailable"]
    assert [line["log_level"] for line in told] == ["warning"]


async def test_the_log_says_that_redis_refuses_to_reset_the_attempts(
    resources: Resources, ada: Person
) -> None:
    """Otherwise, an owner stays locked out after a proof, and no line says why."""
    settings = resources.settings
    admin = open_blocking_client(RedisAddress.parse(settings.redis_url), settings)
    admin.acl_setuser(
        "cautious", enabled=True, passwords="+pw", keys="*", commands=["+@all", "-del"]
    )
    url = re.sub("//.*@", "//cautious:pw@", settings.redis_url)

    with structlog.testing.capture_logs() as lines:
        async with open_throttle(settings.model_copy(update={"redis_url": url})) as throttle:
            await throttle.reset(Action.LOGIN, ada.email)

    assert [line["event"] for line in lines] == ["throttle.unavailable"]
    assert "no permissions" in lines[0]["error"]
    admin.acl_deluser("cautious")
    admin.close()


@pytest.mark.parametrize("trusted", [[], ["127.0.0.1"]], ids=["nobody", "the proxy"])
@pytest.mark.parametrize("options", [[], ["--no-proxy-headers"]], ids=["as it is", "as told"])
async def test_only_a_trusted_proxy_decides_the_ip_address_of_a_request(
    committing_resources: Resources, trusted: list[str], options: list[str]
) -> None:
    settings = committing_resources.settings.model_copy(
        update={"trusted_proxies": [ip_network(proxy) for proxy in trusted]}
    )
    ada = await create_user(committing_resources)
    command = ("-m", "uvicorn", "main:app", "--port", "0", *options)
    async with (
        run_process(settings, *command) as api,
        httpx2.AsyncClient(timeout=STALLED_AFTER) as client,
    ):
        line = await api.wait_for_line("running on")
        url = line.split("running on ")[1].split()[0]
        spoofed = {"X-Forwarded-For": "203.0.113.66"} | ada.headers
        await client.post(f"{url}{API}/login/refresh", json={"refresh_token": ada.refresh_token},
                          headers=spoofed)  # fmt: skip
        sessions = (await client.get(f"{url}{API}/users/me/sessions", headers=spoofed)).json()

    [session] = sessions["data"]
    assert session["address"] == ("203.0.113.66" if trusted else "127.0.0.1")
