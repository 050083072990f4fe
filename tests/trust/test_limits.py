"""Attackers cannot evade limits with other spellings, addresses, or simultaneous requests."""
# ruff: noqa: RUF001  attackers choose characters that look alike

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import httpx2
import pytest
from sqlalchemy import func, literal, select

from app.core.resources import Resources
from app.core.security.attempts import sources
from app.core.security.email_addresses import normalized_email, storable_email
from app.core.security.passwords import Passwords
from app.core.security.throttle import open_throttle
from app.models import User
from tests.support.accounts import ADA, API, PASSWORD, SIGNUP, Person, create_user, log_in
from tests.support.limits import limits
from tests.support.passwords import CHEAP, hash_password
from tests.support.service import serve
from tests.trust.attacks import request_email_change

WRONG = "wrong horse"
SPELLINGS = ["ADA@example.com", "ada@EXAMPLE.com", " ada@example.com", "ａｄａ@example.com"]


@asynccontextmanager
async def at(
    resources: Resources, address: str, changes: dict[str, object] | None = None
) -> AsyncIterator[httpx2.AsyncClient]:
    """Serve a client at an IP address, with other settings."""
    settings = resources.settings.model_copy(update=changes)
    async with open_throttle(settings) as throttle:
        changed = replace(resources, settings=settings, throttle=throttle)
        async with serve(changed, address=address) as client:
            yield client


async def guess(resources: Resources, email: str, address: str) -> int:
    async with serve(resources, address=address) as client:
        return (await log_in(client, email, WRONG)).status_code


async def test_all_spellings_of_an_address_share_its_ten_guesses(
    resources: Resources, ada: Person
) -> None:
    statuses = [
        await guess(resources, spelling, f"198.51.{number}.1")
        for number, spelling in enumerate([ada.email, *SPELLINGS] * 3)
    ]

    assert statuses == [400] * 10 + [429] * 5


@pytest.mark.parametrize("name", ["i̇", "straße", "é", "пётр", "σ"])
async def test_guesses_at_a_name_outside_ascii_are_counted_by_user(
    client: httpx2.AsyncClient, resources: Resources, name: str
) -> None:
    """Upper case, lower case, and Unicode forms of an address belong to the same user."""
    user = await create_user(resources, name, password_hash=await hash_password(PASSWORD))
    spellings = {name, name.upper(), name.replace("i̇", "İ"), name.replace("é", "e\u0301")}
    spellings = {
        each for each in spellings if normalized_email(f"{each}@example.com") == user.email
    }
    for spelling in spellings:
        assert (await log_in(client, f"{spelling}@example.com")).status_code == 200
    statuses = [
        (await log_in(client, f"{spelling}@example.com", WRONG)).status_code
        for _ in range(11)
        for spelling in sorted(spellings)
    ]

    assert statuses.count(400) == 10


NEIGHBORS = [
    "ADA@example.com",
    "İ@example.com",
    "i̇@example.com",
    "ı@example.com",
    "STRASSE@example.com",
    "Straße@example.com",
    "ａｄａ@example.com",
    "ﬁnn@example.com",
    "\u212a@example.com",
    "\u01c5@example.com",
    "ΝΊΚΟΣ@example.com",
    "e\u0301@example.com",
    "É@example.com",
    "Пётр@example.com",
    "ᎠᎡ@example.com",
]


@pytest.mark.parametrize("email", NEIGHBORS)
async def test_python_and_postgresql_normalize_addresses_alike(
    resources: Resources, email: str
) -> None:
    stored = storable_email(email)
    query = select(func.lower(literal(stored).collate("C")))
    async with resources.unit_of_work() as uow:
        assert await uow.session.scalar(query) == normalized_email(stored)

    assert normalized_email(stored) == normalized_email(email)
    assert normalized_email(normalized_email(email)) == normalized_email(email)


async def test_a_login_name_of_many_accents_delays_no_request(client: httpx2.AsyncClient) -> None:
    began = time.process_time()
    answer = await log_in(client, "\u0301\u0316" * 40_000)

    assert answer.status_code == 400
    assert time.process_time() - began < 1


async def test_an_address_is_found_through_its_index(resources: Resources) -> None:
    query = select(User.id).where(User.normalized_email == "ada@example.com")
    sql = str(query.compile(compile_kwargs={"literal_binds": True}))
    async with resources.unit_of_work() as uow:
        connection = await uow.session.connection()
        await connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        plan = await connection.exec_driver_sql(f"EXPLAIN {sql}")
        assert "uq_users_normalized_email" in "".join(row[0] for row in plan)


async def test_another_spelling_of_a_taken_address_gets_no_account_of_its_own(
    client: httpx2.AsyncClient, ada: Person
) -> None:
    assert ada.email == ADA["email"]
    answers = [await client.post(SIGNUP, json=ADA | {"email": spelling}) for spelling in SPELLINGS]

    assert {answer.status_code for answer in answers} == {409}


@pytest.mark.parametrize("path", ["password-recovery", "verify-email"])
async def test_all_spellings_of_an_address_share_its_limit_of_emails(
    resources: Resources, path: str
) -> None:
    statuses = []
    for number in range(12):
        spelling = SPELLINGS[number % len(SPELLINGS)].strip()
        async with serve(resources, address=f"198.51.{number}.1") as client:
            statuses.append((await client.post(f"{API}/{path}/{spelling}")).status_code)

    assert statuses == [200] * 10 + [429] * 2


MAILBOX = ["ada@example.com", "ada+{}@example.com", "a.d.a@example.com", "A.da+x{}@Example.com"]


@pytest.mark.parametrize("how", ["sign-up", "recovery", "verification", "change of address"])
async def test_all_addresses_of_a_mailbox_share_its_limit_of_emails(
    resources: Resources, how: str
) -> None:
    """Large providers ignore dots and text after a plus sign."""
    eve = await create_user(resources, "eve", password_hash=await hash_password(PASSWORD))
    statuses = []
    for number in range(12):
        email = MAILBOX[number % len(MAILBOX)].format(number)
        async with at(resources, f"198.51.{number}.1") as client:
            match how:
                case "sign-up":
                    answer = await client.post(SIGNUP, json=ADA | {"email": email})
                case "recovery":
                    answer = await client.post(f"{API}/password-recovery/{email}")
                case "verification":
                    answer = await client.post(f"{API}/verify-email/{email}")
                case _:
                    answer = await request_email_change(client, eve.headers, email)
            statuses.append(answer.status_code)

    assert statuses[10:] == [429] * 2
    assert 429 not in statuses[:10]


@pytest.mark.parametrize(
    ("client", "address", "network"),
    [
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64", "2001:db8:1::/48"),
        ("192.0.2.7", "192.0.2.7/32", "192.0.2.0/24"),
        ("::ffff:192.0.2.7", "192.0.2.7/32", "192.0.2.0/24"),
        ("fe80::1%eth0", "fe80::/64", "fe80::/48"),
        ("command line", "command line", "command line"),
    ],
)
def test_a_client_counts_as_its_subscriber_and_its_network(
    client: str, address: str, network: str
) -> None:
    assert sources(client) == (address, network)


async def guesses_from(resources: Resources, addresses: list[str], **limit: int) -> list[int]:
    """Guess once from each of these IP addresses, each time at another account."""
    statuses = []
    for number, address in enumerate(addresses):
        async with at(resources, address, limits(**limit)) as client:
            answer = await log_in(client, f"user-{number}@example.com", WRONG)
            statuses.append(answer.status_code)
    return statuses


async def test_an_attacker_with_a_whole_ipv6_network_gets_as_many_guesses_as_others(
    resources: Resources,
) -> None:
    one_subscriber = [f"2001:db8:0:1::{n:x}" for n in range(1, 8)]
    assert await guesses_from(resources, one_subscriber, address=5) == [400] * 5 + [429] * 2

    one_network = [f"2001:db8:9:{n:x}::1" for n in range(1, 8)]
    assert await guesses_from(resources, one_network, network=5) == [400] * 5 + [429] * 2


async def test_an_office_behind_one_address_signs_up_and_logs_in_on_its_first_day(
    resources: Resources,
) -> None:
    """With the default limits."""
    defaults = {name: type(resources.settings).model_fields[name].default for name in limits()}
    async with at(resources, "192.0.2.7", defaults) as client:
        for number in range(60):
            person = ADA | {"email": f"employee-{number}@example.com"}
            assert (await client.post(SIGNUP, json=person)).status_code == 201
            assert (await log_in(client, person["email"])).status_code == 200
            # One user in three mistypes the password once.
            if number % 3 == 0:
                assert (await log_in(client, person["email"], WRONG)).status_code == 400


async def test_strangers_cannot_keep_a_user_out_of_a_device_that_the_user_knows(
    resources: Resources, ada: Person
) -> None:
    """The owner uses an address without an earlier login."""
    device = {"X-Device-ID": "d" * 32}
    async with serve(resources, address="192.0.2.50") as home:
        home.headers.update(device)
        assert (await log_in(home, ada.email)).status_code == 200
    for number in range(11):
        last = await guess(resources, ada.email, f"198.51.{number}.1")
    assert last == 429

    async with serve(resources, address="203.0.113.80") as hotel:
        assert (await log_in(hotel, ada.email)).status_code == 429
        hotel.headers.update(device)
        assert (await log_in(hotel, ada.email)).status_code == 200


async def test_guesses_on_a_device_that_the_user_knows_are_limited_as_well(
    resources: Resources, ada: Person
) -> None:
    async with serve(resources, address="192.0.2.50") as stolen:
        stolen.headers["X-Device-ID"] = "d" * 32
        await log_in(stolen, ada.email)
        statuses = [(await log_in(stolen, ada.email, WRONG)).status_code for _ in range(11)]

    assert statuses == [400] * 10 + [429]


async def test_a_user_cannot_send_emails_to_many_strangers_nor_many_to_one(
    client: httpx2.AsyncClient, resources: Resources, ada: Person
) -> None:
    many = [
        (await request_email_change(client, ada.headers, f"stranger-{n}@example.net")).status_code
        for n in range(11)
    ]
    assert many == [200] * 10 + [429]

    statuses = []
    for number in range(11):
        user = await create_user(
            resources, f"user-{number}", password_hash=await hash_password(PASSWORD)
        )
        answer = await request_email_change(client, user.headers, "victim@example.net")
        statuses.append(answer.status_code)
    assert statuses == [200] * 10 + [429]


async def test_simultaneous_guesses_beyond_the_limit_are_not_hashed(
    resources: Resources, ada: Person
) -> None:
    async with at(resources, "192.0.2.7", limits(account=3)) as client:
        answers = await asyncio.gather(*(log_in(client, ada.email, WRONG) for _ in range(40)))

    statuses = [answer.status_code for answer in answers]
    assert (statuses.count(400), statuses.count(429)) == (3, 37)


async def test_a_blocked_address_does_not_use_up_the_attempts_of_accounts(
    resources: Resources, ada: Person
) -> None:
    async with at(resources, "192.0.2.7", limits(address=2)) as attacker:
        for _ in range(20):
            await log_in(attacker, ada.email, WRONG)

    async with at(resources, "203.0.113.9", limits(account=3)) as home:
        assert (await log_in(home, ada.email)).status_code == 200


async def test_many_correct_logins_of_a_user_at_the_same_moment_all_succeed(
    resources: Resources, ada: Person
) -> None:
    """Even more logins than the number of allowed guesses."""
    async with at(resources, "192.0.2.7", limits(account=3)) as client:
        answers = await asyncio.gather(*(log_in(client, ada.email) for _ in range(15)))

    assert {answer.status_code for answer in answers} == {200}


async def test_the_queue_of_passwords_is_bounded_and_a_rejection_is_not_an_attempt(
    resources: Resources, ada: Person
) -> None:
    passwords = Passwords(CHEAP, max_waiting=1)
    held = replace(resources, passwords=passwords)
    release = threading.Event()
    async with at(held, "192.0.2.7", limits(account=1)) as client:
        waiting = asyncio.create_task(passwords.run(release.wait))
        await asyncio.sleep(0)
        refused = [await log_in(client, ada.email) for _ in range(2)]
        release.set()
        await waiting
        accepted = await log_in(client, ada.email)

    assert [answer.status_code for answer in refused] == [503, 503]
    assert {answer.headers["retry-after"] for answer in refused} == {"1"}
    assert accepted.status_code == 200
