"""FastAPI's wiring and nothing else."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, Query, Request

from app.core.queue import QueuePools
from app.core.resources import Resources
from app.core.unit_of_work import UnitOfWork

MAX_SKIP = 10_000_000
"""An offset makes PostgreSQL walk all that it skips: beyond this, it is an attack or a mistake."""


# Asynchronous although they wait for nothing: FastAPI runs plain functions in threads.
async def get_resources(request: Request) -> Resources:
    resources = request.state.resources
    assert isinstance(resources, Resources)
    return resources


OpenResources = Annotated[Resources, Depends(get_resources)]


async def get_queues(resources: OpenResources) -> QueuePools:
    return resources.queues


async def get_unit_of_work(resources: OpenResources) -> AsyncIterator[UnitOfWork]:
    async with resources.unit_of_work() as uow:
        yield uow


# The scope makes the commit happen before the response leaves, not after it.
Uow = Annotated[UnitOfWork, Depends(get_unit_of_work, scope="function")]
Queues = Annotated[QueuePools, Depends(get_queues)]
Skip = Annotated[int, Query(ge=0, le=MAX_SKIP, description="How many to leave out")]
Limit = Annotated[int, Query(ge=1, le=100, description="How many to return")]
