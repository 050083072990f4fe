"""Nobody learns from the time of an answer whether an address has an account."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import replace
from statistics import median

import httpx2
import pytest

from app.core.resources import Resources
from app.core.security import hash_password
from app.core.throttle import open_throttle
from tests.accounts import ADA, API, PASSWORD, SIGNUP, log_in, someone
from tests.conftest import serve, with_settings

ROUNDS = 24
TRIES = 5
Request = Callable[[int], Awaitable[httpx2.Response]]


Clock = Callable[[], float]

CLOCKS: tuple[Clock, ...] = (time.perf_counter, time.process_time)
"""The clock on the wall, and the processor's: other work on the machine disturbs only the first."""


async def medians(requests: Mapping[str, Request]) -> list[dict[str, float]]:
    """Measure requests in turns by each clock: whatever else the machine does meets them alike."""
    times: list[dict[str, list[float]]] = [{name: [] for name in requests} for _ in CLOCKS]
    for number in range(ROUNDS):
        for name, request in requests.items():
            began = [clock() for clock in CLOCKS]
            await request(number)
            for clock, start, taken in zip(CLOCKS, began, times, strict=True):
                taken[name].append(clock() - start)
    return [{name: median(it[ROUNDS // 8 :]) for name, it in taken.items()} for taken in times]


async def assert_alike(requests: Mapping[str, Request]) -> None:
    """Compare medians. A busy machine may spoil one measurement, a leak spoils all of them."""
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
    """Attempts are not limited here, and only a confirmed address may log in."""
    return with_settings(resources, login_requires_verified_email=True)


@pytest.fixture
async def client(resources: Resources) -> AsyncIterator[httpx2.AsyncClient]:
    unlimited = with_settings(
        resources, throttle_attempts=10**6, throttle_attempts_per_address=10**6
    )
    async with open_throttle(unlimited.settings) as throttle:
        held = replace(unlimited, throttle=throttle)
        async with serve(held) as client:
            yield client


async def test_a_login_takes_as_long_for_known_unknown_and_disabled_users(
    client: httpx2.AsyncClient, resources: Resources
) -> None:
    password_hash = await hash_password(PASSWORD)
    await someone(resources, "known", password_hash=password_hash)
    await someone(resources, "passwordless")
    disabled = await someone(resources, "disabled", password_hash=password_hash)
    root = await someone(resources, "root", superuser=True)
    await client.patch(
        f"{API}/users/{disabled.id}", json={"is_active": False}, headers=root.headers
    )

    def wrong(name: str) -> Request:
        return lambda _: log_in(client, f"{name}@example.com", "wrong horse")

    answers = [await wrong(name)(0) for name in ("known", "unknown", "disabled", "passwordless")]
    assert {answer.status_code for answer in answers} == {400}
    assert {answer.json()["detail"] for answer in answers} == {"Incorrect email or password"}
    await assert_alike(
        {name: wrong(name) for name in ("known", "unknown", "disabled", "passwordless")}
    )


@pytest.mark.parametrize("path", ["password-recovery", "verify-email"])
async def test_asking_for_a_mail_takes_as_long_for_known_and_unknown_addresses(
    client: httpx2.AsyncClient, resources: Resources, path: str
) -> None:
    await someone(resources, "known")

    await assert_alike(
        {
            "known": lambda _: client.post(f"{API}/{path}/known@example.com"),
            "unknown": lambda _: client.post(f"{API}/{path}/nobody@example.com"),
        }
    )


async def test_signing_up_takes_as_long_with_a_taken_address_as_with_a_free_one(
    client: httpx2.AsyncClient, resources: Resources
) -> None:
    await someone(resources, "taken")
    numbers = iter(range(10**6))

    def free(_: int) -> Awaitable[httpx2.Response]:
        return client.post(SIGNUP, json=ADA | {"email": f"free-{next(numbers)}@example.com"})

    await assert_alike(
        {
            "taken": lambda _: client.post(SIGNUP, json=ADA | {"email": "taken@example.com"}),
            "free": free,
        }
    )
