import asyncio
from uuid import UUID, uuid4

import httpx2
import pytest
from sqlalchemy import select

from app.core.queue import EMAIL, QueuePools
from app.core.resources import Resources
from app.models import User
from tests.support.accounts import ADA, API, SIGNUP, Person, create_user
from tests.support.service import serve

USERS = f"{API}/users/"


async def test_signing_up_creates_a_user_and_never_shows_the_password(
    client: httpx2.AsyncClient,
) -> None:
    answer = await client.post(SIGNUP, json=ADA)

    assert answer.status_code == 201
    user = answer.json()
    assert user.keys() == {
        "id", "email", "full_name", "is_active", "is_superuser", "created_at",
    }  # fmt: skip
    assert UUID(user["id"]).version == 7
    assert (user["email"], user["is_active"], user["is_superuser"]) == (ADA["email"], True, False)


async def test_a_password_is_stored_as_an_argon2id_hash(
    client: httpx2.AsyncClient, resources: Resources
) -> None:
    await client.post(SIGNUP, json=ADA)

    async with resources.unit_of_work() as uow:
        stored = await uow.session.scalar(select(User.password_hash))
    assert stored is not None
    assert stored.startswith("$argon2id$")
    assert ADA["password"] not in stored


async def test_signing_up_sends_a_welcome_email(
    client: httpx2.AsyncClient, queues: QueuePools
) -> None:
    answer = await client.post(SIGNUP, json=ADA)

    [job] = await queues[EMAIL].queued_jobs()
    assert (job.function, job.args[0]) == (
        "SendWelcomeEmail",
        {"user_id": answer.json()["id"], "email": ADA["email"]},
    )


async def test_an_email_is_taken_whatever_its_case(
    client: httpx2.AsyncClient, queues: QueuePools
) -> None:
    await client.post(SIGNUP, json=ADA)
    answer = await client.post(SIGNUP, json=ADA | {"email": "ADA@Example.com"})

    assert answer.status_code == 409
    assert answer.json()["detail"] == "The user with this email already exists in the system"
    assert len(await queues[EMAIL].queued_jobs()) == 1


async def test_one_of_several_simultaneous_sign_ups_with_an_email_succeeds(
    committing_resources: Resources, queues: QueuePools
) -> None:
    async with serve(committing_resources) as client:
        answers = await asyncio.gather(*(client.post(SIGNUP, json=ADA) for _ in range(5)))

    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409, 409]
    assert len(await queues[EMAIL].queued_jobs()) == 1


async def test_users_are_listed_newest_first_in_pages(
    client: httpx2.AsyncClient, root: Person
) -> None:
    for name in ("ada", "bob", "cyd"):
        await client.post(SIGNUP, json=ADA | {"email": f"{name}@example.com"})

    pages = [
        (await client.get(USERS, params={"limit": 2, "skip": skip}, headers=root.headers)).json()
        for skip in (0, 2)
    ]

    names = [[user["email"].partition("@")[0] for user in page["data"]] for page in pages]
    assert names == [["cyd", "bob"], ["ada", "root"]]
    assert [page["count"] for page in pages] == [4, 4]


async def test_users_read_themselves_by_id_and_superusers_read_any_user(
    client: httpx2.AsyncClient, resources: Resources, root: Person
) -> None:
    bob = await create_user(resources, "bob")
    own = await client.get(f"{USERS}{bob.id}", headers=bob.headers)
    by_root = await client.get(f"{USERS}{bob.id}", headers=root.headers)
    refused = await client.get(f"{USERS}{root.id}", headers=bob.headers)
    unknown = await client.get(f"{USERS}{uuid4()}", headers=bob.headers)

    assert own.json() == by_root.json()
    assert own.json()["email"] == bob.email
    detail = "The user doesn't have enough privileges"
    assert (refused.status_code, refused.json()["detail"]) == (403, detail)
    assert (unknown.status_code, unknown.json()["detail"]) == (403, detail)


@pytest.mark.parametrize(
    ("method", "detail"),
    [
        ("GET", "User not found"),
        ("PATCH", "The user with this id does not exist in the system"),
        ("DELETE", "User not found"),
    ],
)
async def test_an_unknown_user_is_not_found(
    client: httpx2.AsyncClient, root: Person, method: str, detail: str
) -> None:
    answer = await client.request(method, f"{USERS}{uuid4()}", json={}, headers=root.headers)

    assert (answer.status_code, answer.json()["detail"]) == (404, detail)


@pytest.mark.parametrize(
    "change",
    [
        {"email": "no address"},
        {"email": f"{'a' * 250}@example.com"},
        {"email": "a\x00b@example.com"},
        {"password": "short"},
        {"password": "x" * 129},
        {"password": 12345678},
        {"full_name": "x" * 256},
        {"full_name": "Ada\x00"},
    ],
    ids=lambda change: str(change)[:30],
)
async def test_unusable_fields_are_refused_and_named(
    client: httpx2.AsyncClient, change: dict[str, object]
) -> None:
    answer = await client.post(SIGNUP, json=ADA | change)

    [error] = answer.json()["errors"]
    assert (answer.status_code, error["loc"]) == (422, ["body", *change])


@pytest.mark.parametrize(
    "body",
    [
        b'{"email": "a@example.com", "password": "correct horse", "full_name": "\\ud800"}',
        b'{"email": "a@example.com", "password": "correct horse\\udfff"}',
        b'{"email": "\xff"}',
        b'{"email": ',
        b"[" * 100_000,
        b"null",
        b"",
    ],
    ids=lambda body: repr(body[:20]),
)
async def test_a_broken_body_is_a_client_error(client: httpx2.AsyncClient, body: bytes) -> None:
    answer = await client.post(SIGNUP, content=body, headers={"content-type": "application/json"})

    assert answer.status_code in {400, 422}
    assert answer.headers["content-type"] == "application/problem+json"
    assert isinstance(answer.json()["detail"], str)


@pytest.mark.parametrize(
    "query",
    ["skip=-1", "skip=1000000000", "skip=99999999999999999999", "limit=0", "limit=101", "limit=x"],
)
async def test_an_impossible_page_is_refused(
    client: httpx2.AsyncClient, root: Person, query: str
) -> None:
    answer = await client.get(f"{USERS}?{query}", headers=root.headers)

    assert answer.status_code == 422
