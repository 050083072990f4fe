"""A response reveals neither by its text nor by its time whether an address has an account."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import replace
from statistics import median

import httpx2
import pytest

from app.core.resources import Resources
from app.core.security.passwords import Passwords
from app.core.security.throttle import open_throttle
from tests.support.accounts import ADA, API, PASSWORD, SIGNUP, create_user, log_in
from tests.support.limits import UNLIMITED, limits
from tests.support.service import serve, with_settings

ROUNDS = 24
TRIES = 5
Request = Callable[[int], Awaitable[httpx2.Response]]
Clock = Callable[[], float]

CLOCKS: tuple[Clock, ...] = (time.perf_counter, time.process_time)
"""Wall time and processor time. Other work on the machine hardly affects processor time."""


async def medians(requests: Mapping[str, Request]) -> list[dict[str, float]]:
    """Measure the requests in turns with each clock, so that other work affects all of them."""
    times: list[dict[str, list[float]]] = [{name: [] for name in requests} for _ in CLOCKS]
    for number in range(ROUNDS):
        for name, request in requests.items():
            began = [clock() for clock in CLOCKS]
            await request(number)
            for clock, start, taken in zip(CLOCKS, began, times, strict=True):
                taken[name].append(clock() - start)
    return [{name: median(it[ROUNDS // 8 :]) for name, it in taken.items()} for taken in times]


async def assert_alike(requests: Mapping[str, Request]) -> None:
    """Compare medians. Other work may spoil one measurement, but a leak shows in all of them."""
    ratios: list[dict[str, float]] = []
    for _ in range(TRIES):
        for measured in await medians(requests):
            first = next(iter(measured.values()))
            ratios.append({name: round(taken / first, 3) for name, taken in measured.items()})
            if all(0.9 <= ratio <= 1.1 for ratio in ratios[-1].values()):
                return
    raise AssertionError(ratios)


@pytest.fixture
async def resources(resources: Resources) -> Resources:
    """A service where only a confirmed address may log in, with real passwords."""
    changed = with_settings(resources, login_requires_verified_email=True)
    return replace(changed, passwords=Passwords())


@pytest.fixture
async def client(resources: Resources) -> AsyncIterator[httpx2.AsyncClient]:
    unlimited = with_settings(resources, **limits(account=UNLIMITED))
    async with open_throttle(unlimited.settings) as throttle:
        held = replace(unlimited, throttle=throttle)
        async with serve(held) as client:
            yield client


@pytest.fixture
async def wrong_logins(client: httpx2.AsyncClient, resources: Resources) -> dict[str, Request]:
    """Logins with a wrong password, by the kind of user."""
    password_hash = await resources.passwords.hash(PASSWORD)
    await create_user(resources, "known", password_hash=password_hash)
    await create_user(resources, "passwordless")
    disabled = await create_user(resources, "disabled", password_hash=password_hash)
    root = await create_user(resources, "root", superuser=True)
    await client.patch(
        f"{API}/users/{disabled.id}", json={"is_active": False}, headers=root.headers
    )

    def log_in_as(name: str) -> Request:
        return lambda _: log_in(client, f"{name}@example.com", "wrong horse")

    return {name: log_in_as(name) for name in ("known", "unknown", "disabled", "passwordless")}


async def test_a_wrong_login_gets_the_same_answer_for_known_unknown_and_disabled_users(
    wrong_logins: dict[str, Request],
) -> None:
    answers = [await log_in_wrongly(0) for log_in_wrongly in wrong_logins.values()]

    assert {answer.status_code for answer in answers} == {400}
    assert {answer.json()["detail"] for answer in answers} == {"Incorrect email or password"}


@pytest.mark.timing
async def test_a_wrong_login_takes_as_long_for_known_unknown_and_disabled_users(
    wrong_logins: dict[str, Request],
) -> None:
    await assert_alike(wrong_logins)


@pytest.mark.timing
@pytest.mark.parametrize("path", ["password-recovery", "verify-email"])
async def test_asking_for_an_email_takes_as_long_for_known_and_unknown_addresses(
    client: httpx2.AsyncClient, resources: Resources, path: str
) -> None:
    await create_user(resources, "known")

    await assert_alike(
        {
            "known": lambda _: client.post(f"{API}/{path}/known@example.com"),
            "unknown": lambda _: client.post(f"{API}/{path}/nobody@example.com"),
        }
    )


@pytest.mark.timing
async def test_signing_up_takes_as_long_with_a_taken_email_as_with_a_free_one(
    client: httpx2.AsyncClient, resources: Resources
) -> None:
    await create_user(resources, "taken")
    numbers = iter(range(10**6))

    def free(_: int) -> Awaitable[httpx2.Response]:
        return client.post(SIGNUP, json=ADA | {"email": f"free-{next(numbers)}@example.com"})

    await assert_alike(
        {
            "taken": lambda _: client.post(SIGNUP, json=ADA | {"email": "taken@example.com"}),
            "free": free,
        }
    )


@pytest.mark.timing
async def test_asking_for_a_new_address_takes_as_long_if_it_is_taken(
    client: httpx2.AsyncClient, resources: Resources
) -> None:
    password_hash = await resources.passwords.hash(PASSWORD)
    ada = await create_user(resources, password_hash=password_hash)
    await create_user(resources, "taken")

    def ask(email: str) -> Request:
        body = {"email": email, "current_password": PASSWORD}
        return lambda _: client.patch(f"{API}/users/me", json=body, headers=ada.headers)

    await assert_alike({"taken": ask("taken@example.com"), "free": ask("free@example.com")})
