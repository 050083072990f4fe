"""Every route survives generated requests."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import httpx2
import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from tests.fuzz.statuses import RecordStatus
from tests.routes.operations import DOCUMENTED
from tests.routes.people import People

if TYPE_CHECKING:
    from tests.fuzz.generated import GeneratedRequest

pytestmark = pytest.mark.fuzz

MANY = 100
"""Requests for each operation, which are at least 4,000 in total."""

CheckResponse = Callable[["GeneratedRequest"], Awaitable[None]]


@pytest.fixture
def check_response(
    client: httpx2.AsyncClient,
    connection: AsyncConnection,
    people: People,
    record_status: RecordStatus,
) -> CheckResponse:
    """Send a request, undo its effect, and check the response."""
    logins = {
        "a stranger": {},
        "a user": people.owner.headers,
        "a superuser": people.superuser.headers,
    }

    async def check_response(request: "GeneratedRequest") -> None:
        headers = logins[request.sender]
        try:
            sent = request.prepare(str(client.base_url), headers, people.ids)
        except httpx2.InvalidURL:  # over 64 KiB, which no client sends and no server reads
            return
        before = await connection.begin_nested()
        try:
            response = await client.send(sent)
        finally:
            await before.rollback()
        record_status(response.status_code)
        request.check(response, headers)

    return check_response


def generate(label: str, number: int) -> "list[GeneratedRequest]":
    """Generate requests for an operation."""
    from tests.fuzz.generated import OPERATIONS, generate_requests  # noqa: PLC0415  it is slow

    return generate_requests(OPERATIONS[label], number)


@pytest.fixture
def many(label: str) -> "list[GeneratedRequest]":
    """Generate requests first, because a transaction must not be idle meanwhile."""
    return generate(label, MANY)


@pytest.mark.parametrize("label", [str(operation) for operation in DOCUMENTED])
async def test_requests_are_answered_as_the_openapi_says(
    many: "list[GeneratedRequest]", check_response: CheckResponse
) -> None:
    for request in many:
        await check_response(request)
