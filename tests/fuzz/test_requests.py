"""Every route takes what nobody thought of; new ones take part by themselves."""

from collections.abc import Awaitable, Callable

import httpx2
import pytest
from schemathesis import checks
from schemathesis.core.failures import FailureGroup
from sqlalchemy.ext.asyncio import AsyncConnection

from tests.fuzz.conftest import Note
from tests.fuzz.requests import OPERATIONS, MadeUp, Operation, make_up
from tests.routes.test_access import People

CHECKS = [
    getattr(checks, name)
    for name in (
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_headers_conformance",
        "response_schema_conformance",
        "negative_data_rejection",
        "missing_required_header",
    )
]
FEW, MANY = 3, 80
"""Requests for each operation; many are some 2,800 in all."""

Ask = Callable[[MadeUp], Awaitable[None]]


@pytest.fixture
def ask(
    client: httpx2.AsyncClient, connection: AsyncConnection, people: People, answered: Note
) -> Ask:
    """Make a request, undo its effect, judge the answer."""
    logins = {
        "nobody": {},
        "a user": people.owner.headers,
        "a superuser": people.superuser.headers,
    }

    async def ask(request: MadeUp) -> None:
        headers = logins[request.who]
        sent = request.prepare(str(client.base_url), headers, people.ids)
        before = await connection.begin_nested()
        try:
            answer = await client.send(sent)
        finally:
            await before.rollback()
        answered(answer.status_code)
        try:
            request.case.validate_response(answer, checks=CHECKS, headers=headers)
        except FailureGroup as found:  # as it is, it would end the event loop
            raise AssertionError(f"as {request.who}: {found}") from None

    return ask


@pytest.fixture
def few() -> list[MadeUp]:
    """Comes before all else: a transaction must not be idle while requests are made up."""
    return [request for operation in OPERATIONS for request in make_up(operation, FEW)]


async def test_a_few_requests_to_every_route_are_answered_as_the_openapi_says(
    few: list[MadeUp], ask: Ask
) -> None:
    for request in few:
        await ask(request)


@pytest.fixture
def many(operation: Operation) -> list[MadeUp]:
    return make_up(operation, MANY)


@pytest.mark.fuzz
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda found: found.label)
async def test_requests_are_answered_as_the_openapi_says(many: list[MadeUp], ask: Ask) -> None:
    for request in many:
        await ask(request)
