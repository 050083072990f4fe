import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from ipaddress import ip_network

import httpx2
import pytest
import structlog

from app.core.resources import Resources
from app.core.security import hash_password
from app.core.throttle import open_throttle
from tests.accounts import ADA, API, PASSWORD, SIGNUP, Person, log_in, someone
from tests.conftest import serve
from tests.ports import CLOSED_PORT
from tests.processes import running

WRONG = "wrong horse"


@asynccontextmanager
async def service(
    resources: Resources, address: str = "192.0.2.7", **changes: object
) -> AsyncIterator[httpx2.AsyncClient]:
    """Serve to a client at an address, with other settings."""
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


async def test_fifty_wrong_passwords_at_once_are_ten_guesses(committing: Resources) -> None:
    ada = await someone(committing, password_hash=await hash_password(PASSWORD))
    async with service(committing) as client:
        answers = await asyncio.gather(*(log_in(client, ada.email, WRONG) for _ in range(50)))

    codes = [answer.status_code for answer in answers]
    assert (codes.count(400), codes.count(429)) == (10, 40)


async def test_of_guesses_at_once_one_that_is_right_too_late_is_refused(
    committing: Resources,
) -> None:
    ada = await someone(committing, password_hash=await hash_password(PASSWORD))
    async with service(committing, throttle_attempts=3) as client:
        guesses = [WRONG] * 20 + [PASSWORD]
        answers = await asyncio.gather(*(log_in(client, ada.email, guess) for guess in guesses))

    assert [answer.status_code for answer in answers].count(200) == 0
    assert answers[-1].status_code == 429


async def test_an_unknown_address_is_kept_out_like_a_known_one(
    client: httpx2.AsyncClient,
) -> None:
    assert await statuses(client, "nobody@example.com", 11) == [400] * 10 + [429]


async def test_right_passwords_are_not_counted(committing: Resources) -> None:
    ada = await someone(committing, password_hash=await hash_password(PASSWORD))
    async with service(committing, throttle_attempts_per_address=10) as client:
        answers = await asyncio.gather(*(log_in(client, ada.email) for _ in range(15)))

    assert {answer.status_code for answer in answers} == {200}


async def test_another_spelling_of_an_address_is_no_other_account(
    client: httpx2.AsyncClient, ada: Person
) -> None:
    for spelling in (ada.email, ada.email.upper(), f" {ada.email} "):
        await statuses(client, spelling, 4)

    assert (await log_in(client, ada.email)).status_code == 429


async def test_an_address_is_kept_out_whatever_accounts_it_tries(resources: Resources) -> None:
    async with service(resources, throttle_attempts_per_address=10) as client:
        tries = [(await log_in(client, f"{n}@example.com", WRONG)).status_code for n in range(11)]

    assert tries == [400] * 10 + [429]


async def test_who_keeps_guessing_keeps_the_owner_out_no_longer_than_the_window(
    resources: Resources, ada: Person
) -> None:
    async with service(resources, throttle_window=2, throttle_attempts=1) as client:
        await statuses(client, ada.email, 1)
        refused = await log_in(client, ada.email)
        async with asyncio.timeout(10):
            while (answer := await log_in(client, ada.email)).status_code == 429:
                await asyncio.sleep(0.1)

    assert int(refused.headers["retry-after"]) <= 2
    assert answer.status_code == 200


async def test_strangers_do_not_keep_the_owner_out_where_they_are_logged_in(
    resources: Resources, ada: Person
) -> None:
    async with service(resources, address="192.0.2.1") as home:
        assert (await log_in(home, ada.email)).status_code == 200
        async with service(resources, address="198.51.100.9") as elsewhere:
            assert await statuses(elsewhere, ada.email, 11) == [400] * 10 + [429]
        assert (await log_in(home, ada.email)).status_code == 200


@pytest.mark.parametrize("path", ["password-recovery", "verify-email"])
async def test_mails_to_one_address_are_asked_for_ten_times_at_most(
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
async def test_guesses_of_a_mails_token_are_counted(
    resources: Resources, path: str, body: dict[str, str]
) -> None:
    async with service(resources, throttle_attempts_per_address=10) as client:
        answers = [await client.post(f"{API}/{path}", json=body) for _ in range(11)]

    assert [answer.status_code for answer in answers] == [400] * 10 + [429]


async def test_one_address_signs_up_ten_times_at_most(resources: Resources) -> None:
    async with service(resources, throttle_attempts_per_address=10) as client:
        answers = [
            await client.post(SIGNUP, json=ADA | {"email": f"{n}@example.com"}) for n in range(11)
        ]

    assert [answer.status_code for answer in answers] == [201] * 10 + [429]


async def test_guesses_of_ones_own_password_within_a_session_are_counted(
    client: httpx2.AsyncClient, ada: Person
) -> None:
    body = {"current_password": WRONG, "new_password": "a fresh battery"}
    answers = [
        await client.patch(f"{API}/users/me/password", json=body, headers=ada.headers)
        for _ in range(11)
    ]

    assert [answer.status_code for answer in answers] == [400] * 10 + [429]


async def test_of_guesses_within_a_session_one_that_is_right_too_late_is_refused(
    committing: Resources,
) -> None:
    ada = await someone(committing, password_hash=await hash_password(PASSWORD))
    async with service(committing, throttle_attempts=3) as client:
        answers = await asyncio.gather(
            *(
                client.patch(
                    f"{API}/users/me/password",
                    json={"current_password": guess, "new_password": "a fresh battery"},
                    headers=ada.headers,
                )
                for guess in [WRONG] * 20 + [PASSWORD]
            )
        )

    assert {answer.status_code for answer in answers[:-1]} == {400, 429}
    assert answers[-1].status_code == 429


async def test_while_redis_is_away_logins_go_on_and_the_limiter_says_so(
    resources: Resources, ada: Person
) -> None:
    away = f"redis://127.0.0.1:{CLOSED_PORT}"
    async with service(resources, redis_url=away, throttle_attempts=2) as client:
        with structlog.testing.capture_logs() as lines:
            assert (await log_in(client, ada.email)).status_code == 200
            assert await statuses(client, ada.email, 3) == [400] * 3

    told = [line for line in lines if line["event"] == "throttle.away"]
    assert [line["log_level"] for line in told] == ["warning"]


@pytest.mark.parametrize("trusted", [[], ["127.0.0.1"]], ids=["nobody", "the proxy"])
@pytest.mark.parametrize("options", [[], ["--no-proxy-headers"]], ids=["as it is", "as told"])
async def test_only_a_trusted_proxy_says_where_a_request_comes_from(
    committing: Resources, trusted: list[str], options: list[str]
) -> None:
    settings = committing.settings.model_copy(
        update={"trusted_proxies": [ip_network(proxy) for proxy in trusted]}
    )
    ada = await someone(committing)
    command = ("-m", "uvicorn", "main:app", "--port", "0", *options)
    async with running(settings, *command) as api, httpx2.AsyncClient() as client:
        line = await api.says("running on")
        url = line.split("running on ")[1].split()[0]
        spoofed = {"X-Forwarded-For": "203.0.113.66"} | ada.headers
        await client.post(f"{url}{API}/login/refresh", json={"refresh_token": ada.refresh_token},
                          headers=spoofed)  # fmt: skip
        sessions = (await client.get(f"{url}{API}/users/me/sessions", headers=spoofed)).json()

    [session] = sessions["data"]
    assert session["address"] == ("203.0.113.66" if trusted else "127.0.0.1")
