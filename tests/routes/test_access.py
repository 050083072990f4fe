"""Each route is open to the right kinds of users."""

from uuid import UUID

import httpx2

from app.core.resources import Resources
from tests.routes.access import ACCESS, FOR_PROGRAMS, OWN
from tests.routes.conftest import Undone
from tests.routes.operations import GUARDED, OPEN, OPERATIONS, QUERIES, Operation
from tests.routes.people import People
from tests.support.accounts import bearer, create_user
from tests.support.api_keys import create_api_key
from tests.support.tokens import expired, forged


async def ask(
    client: httpx2.AsyncClient,
    operation: Operation,
    headers: dict[str, str],
    ids: dict[str, UUID | str],
) -> httpx2.Response:
    return await client.request(
        operation.method,
        operation.path.format(**ids),
        headers=headers,
        json=operation.body,
        params=QUERIES.get(operation.id),
    )


async def test_an_api_key_may_do_what_its_scopes_allow_and_nothing_else(
    client: httpx2.AsyncClient, resources: Resources, people: People
) -> None:
    """Even with the key of a superuser and all scopes."""
    _, key = await create_api_key(resources, people.superuser)
    answers = {op: await ask(client, op, bearer(key), people.ids) for op in GUARDED}

    allowed = {op.id for op, answer in answers.items() if answer.status_code != 403}
    assert allowed == FOR_PROGRAMS
    assert {answers[op].json()["detail"] for op in GUARDED if op.id not in FOR_PROGRAMS} == {
        "An API key may not do this"
    }


async def test_each_route_answers_a_stranger_the_owner_and_a_superuser_as_listed(
    client: httpx2.AsyncClient, people: People, undone: Undone
) -> None:
    persons = (people.stranger, people.owner, people.superuser)
    answers = {}
    for operation in GUARDED:
        async with undone():
            each = [await ask(client, operation, it.headers, people.ids) for it in persons]
        answers[operation.id] = tuple(answer.status_code for answer in each)

    assert answers == {operation.id: listed_for(operation) for operation in GUARDED}


def listed_for(operation: Operation) -> tuple[int, int, int]:
    expected = ACCESS[operation.id]
    if operation.method == "DELETE" and expected == OWN:
        return (403, 200, 404)  # the owner has already changed it
    return expected


async def test_no_guarded_route_works_without_a_valid_token(
    client: httpx2.AsyncClient, resources: Resources, people: People
) -> None:
    revoked = await create_user(resources, "revoked", superuser=True)
    await client.post("/api/v1/logout", headers=revoked.headers)
    root = people.superuser
    strangers: dict[str, dict[str, str]] = {
        "nobody": {},
        "expired": bearer(expired(resources.settings, root)),
        "forged": bearer(forged(resources.settings, root)),
        "revoked": revoked.headers,
        "refresh token": bearer(root.refresh_token),
        "unknown key": bearer("fab_" + "x" * 43),
        "expired key": bearer((await create_api_key(resources, root, expired=True))[1]),
    }

    for operation in GUARDED:
        for name, headers in strangers.items():
            answer = await ask(client, operation, headers, people.ids)
            assert (answer.status_code, name) == (401, name), operation
            assert answer.headers["www-authenticate"] == "Bearer"


async def test_only_the_listed_routes_need_no_login(
    client: httpx2.AsyncClient, people: People
) -> None:
    answers = {op: await ask(client, op, {}, people.ids) for op in OPERATIONS}

    without_login = {str(op) for op, answer in answers.items() if answer.status_code != 401}
    # A refresh token is its own authentication.
    assert without_login == OPEN - {"POST /api/v1/login/refresh"}
    assert len(OPERATIONS) == len(OPEN) + len(ACCESS)
