"""Many simultaneous requests use the same key for their jobs."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import httpx2
import pytest
from fastapi import FastAPI, Request

from app.core.resources import Resources
from app.core.setup import create_application
from app.schemas.jobs import BuildSignupReport
from tests.support.service import already_open, serve

REQUESTS = 60
"""More requests than connections in the pool."""


@pytest.fixture
def app(committing_resources: Resources) -> FastAPI:
    app = create_application(
        committing_resources.settings, open_resources=already_open(committing_resources)
    )

    @app.post("/reports")
    async def build_report(request: Request) -> str:
        async with request.state.resources.unit_of_work() as uow:
            return str(uow.enqueue(BuildSignupReport(), key="nightly"))

    return app


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    async with serve(app) as client:
        yield client


async def test_one_of_many_simultaneous_requests_gets_the_job_and_the_others_a_conflict(
    client: httpx2.AsyncClient,
) -> None:
    responses = await asyncio.gather(*(client.post("/reports") for _ in range(REQUESTS)))

    assert Counter(each.status_code for each in responses) == {200: 1, 409: REQUESTS - 1}
