"""The command line and HTTP show the same state of a job, whether Redis is up or down."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import httpx2
import pytest

from app.core import control
from app.core.broker.keys import QueueKeys
from app.core.broker.serializer import to_json
from app.core.queue import BASE, QueuePools
from app.core.redis import open_pools
from app.core.resources import Resources
from app.schemas.job import JobStatus
from app.schemas.jobs import BuildSignupReport
from tests.cli.results import RunCommand
from tests.core.control.jobs import add_dead_letter, enqueue
from tests.support.accounts import create_user
from tests.support.ports import CLOSED_PORT
from tests.support.service import serve

KEYS = QueueKeys(BASE)
NOWHERE = f"redis://127.0.0.1:{CLOSED_PORT}"

Prepare = Callable[[Resources], Awaitable[UUID]]


async def queued(resources: Resources) -> UUID:
    return await enqueue(resources, BuildSignupReport())


async def not_sent_yet(resources: Resources) -> UUID:
    job_id = await queued(resources)
    await resources.queues[BASE].flushdb()
    return job_id


async def without_a_row(resources: Resources) -> UUID:
    return await resources.queues.send(BuildSignupReport())


async def scheduled(resources: Resources) -> UUID:
    async with resources.unit_of_work() as uow:
        return uow.enqueue(BuildSignupReport(), delay=timedelta(minutes=1))


async def beyond_the_horizon(resources: Resources) -> UUID:
    async with resources.unit_of_work() as uow:
        return uow.enqueue(BuildSignupReport(), delay=timedelta(days=30))


async def running(resources: Resources) -> UUID:
    job_id = await queued(resources)
    await resources.queues[BASE].set(KEYS.in_progress(job_id), f"w/1/{time.time() * 1000:.0f}")
    return job_id


async def succeeded(resources: Resources) -> UUID:
    job_id = uuid4()
    now = round(time.time() * 1000)
    result = {"t": 1, "f": "BuildSignupReport", "a": [], "k": {}, "et": now, "s": True, "r": 7}
    result |= {"st": now, "ft": now, "q": KEYS.queue, "id": str(job_id)}
    await resources.queues[BASE].set(KEYS.result(job_id), to_json(result))
    return job_id


async def failed(resources: Resources) -> UUID:
    return await add_dead_letter(resources, BuildSignupReport())


async def cancelled(resources: Resources) -> UUID:
    job_id = await queued(resources)
    await control.cancel(resources.sessions, resources.queues, job_id)
    return job_id


async def unknown(_: Resources) -> UUID:
    return uuid4()


EXPECTED = {
    queued: ("queued", "unavailable"),
    not_sent_yet: ("queued", "unavailable"),
    without_a_row: ("queued", "unavailable"),
    scheduled: ("scheduled", "unavailable"),
    beyond_the_horizon: ("scheduled", "scheduled"),
    running: ("running", "unavailable"),
    succeeded: ("succeeded", "unavailable"),
    failed: ("failed", "failed"),
    cancelled: ("cancelled", "unavailable"),
    unknown: ("not found", "unavailable"),
}
"""For each job: its state with Redis, and its state while Redis is down."""


@pytest.mark.parametrize(
    ("prepare", "states"), EXPECTED.items(), ids=[each.__name__ for each in EXPECTED]
)
async def test_the_command_line_and_http_show_the_same_state_of_a_job(
    resources: Resources, run_command: RunCommand, prepare: Prepare, states: tuple[str, str]
) -> None:
    job_id = await prepare(resources)
    user = await create_user(resources, superuser=True)
    with_redis, without_redis = states

    async def shown_by_http(queues: QueuePools) -> str | JobStatus:
        async with serve(replace(resources, queues=queues)) as client:
            answer = await client.get(f"/api/v1/jobs/{job_id}", headers=user.headers)
        return read_answer(answer)

    async def shown_by_the_command_line(**variables: str) -> str | JobStatus:
        shown = await run_command("jobs", "show", str(job_id), "--json", **variables)
        if shown.code == 0:
            return JobStatus.model_validate(shown.json["job"])
        return "unavailable" if "does not answer" in shown.errors else "not found"

    on_the_command_line = await shown_by_the_command_line()
    assert state_of(on_the_command_line) == with_redis
    assert await shown_by_http(resources.queues) == on_the_command_line

    down = resources.settings.model_copy(update={"queue_redis_urls": {}, "redis_url": NOWHERE})
    urls = {"QUEUE_BASE_REDIS_URL": f"{NOWHERE}/1", "QUEUE_EMAIL_REDIS_URL": f"{NOWHERE}/2"}
    async with open_pools(down) as queues:
        on_the_command_line = await shown_by_the_command_line(**urls)
        assert state_of(on_the_command_line) == without_redis
        assert await shown_by_http(queues) == on_the_command_line


def read_answer(answer: httpx2.Response) -> str | JobStatus:
    match answer.status_code:
        case 200:
            return JobStatus.model_validate_json(answer.content)
        case 404:
            return "not found"
        case 503:
            assert "does not answer" in answer.json()["detail"]
            return "unavailable"
    raise AssertionError(answer.text)


def state_of(shown: str | JobStatus) -> str:
    return shown if isinstance(shown, str) else shown.state
