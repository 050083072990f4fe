from uuid import UUID, uuid4

import pytest

from app.core import control
from app.core.broker.keys import QueueKeys
from app.core.control.retries import JobHeld
from app.core.job_store.outbox import JobAlive
from app.core.job_store.record import JobState
from app.core.queue import BASE
from app.core.redis import open_pools
from app.core.resources import Resources
from app.workers.context import JobContext
from tests.core.control.jobs import Paint, add_dead_letter, enqueue, job_of, working
from tests.support.ports import CLOSED_PORT
from tests.support.waiting import wait_until

KEYS = QueueKeys(BASE)


async def state_of(resources: Resources, job_id: UUID) -> JobState:
    return (await job_of(resources, job_id)).state


async def has(resources: Resources, job_id: UUID, state: JobState) -> bool:
    return await state_of(resources, job_id) is state


async def test_a_job_that_failed_for_good_is_run_again_with_all_of_its_tries(
    resources: Resources,
) -> None:
    attempts, cured = [], False

    async def paint(ctx: JobContext, _: Paint) -> str:
        attempts.append(ctx.attempt)
        if not cured:
            raise ZeroDivisionError
        return "done"

    job_id = await enqueue(resources, Paint(), key="wall")
    async with working(resources, paint):
        await wait_until(lambda: has(resources, job_id, JobState.FAILED))
        await wait_until(lambda: is_forgotten(resources, job_id))
        cured = True
        letter = await control.retry(resources.sessions, resources.queues, job_id)
        await wait_until(lambda: has(resources, job_id, JobState.SUCCEEDED))

    assert (letter.id, letter.error) == (job_id, "ZeroDivisionError: ")
    assert attempts == [1, 1]
    assert (await control.list_dead_letters(resources.sessions)).count == 0


async def is_forgotten(resources: Resources, job_id: UUID) -> bool:
    """Return whether the worker has released a job."""
    return not await resources.queues[BASE].exists(KEYS.in_progress(job_id))


async def test_a_retry_resets_the_crashes(resources: Resources) -> None:
    job_id = await add_dead_letter(resources, Paint())
    redis, crashes = resources.queues[BASE], KEYS.crashes
    async with redis.pipeline() as pipe:
        pipe.hset(crashes, str(job_id), "3")
        pipe.set(KEYS.retry(job_id), 3)
        pipe.set(KEYS.result(job_id), b"{}")
        await pipe.execute()

    await control.retry(resources.sessions, resources.queues, job_id)

    assert not await redis.exists(crashes, KEYS.retry(job_id), KEYS.result(job_id))
    assert await redis.zscore(KEYS.queue, str(job_id)) is not None


async def test_a_job_that_a_worker_holds_cannot_be_retried(resources: Resources) -> None:
    job_id = await add_dead_letter(resources, Paint())
    await resources.queues[BASE].set(KEYS.in_progress(job_id), "w/1/1")

    with pytest.raises(JobHeld, match=str(job_id)):
        await control.retry(resources.sessions, resources.queues, job_id)
    assert await state_of(resources, job_id) is JobState.FAILED


async def test_a_retry_is_rejected_while_another_job_has_the_key(resources: Resources) -> None:
    dead = await add_dead_letter(resources, Paint(), key="wall")
    alive = await enqueue(resources, Paint(), key="wall")

    with pytest.raises(JobAlive, match=str(alive)):
        await control.retry(resources.sessions, resources.queues, dead)
    assert await state_of(resources, dead) is JobState.FAILED


async def test_only_a_dead_letter_can_be_retried_or_discarded(
    resources: Resources,
) -> None:
    for job_id in (await enqueue(resources, Paint()), uuid4()):
        with pytest.raises(control.DeadLetterNotFound):
            await control.retry(resources.sessions, resources.queues, job_id)
        with pytest.raises(control.DeadLetterNotFound):
            await control.discard(resources.sessions, job_id)


async def test_a_retry_changes_nothing_while_redis_is_down(resources: Resources) -> None:
    job_id = await add_dead_letter(resources, Paint())
    down = resources.settings.model_copy(
        update={"queue_redis_urls": {}, "redis_url": f"redis://127.0.0.1:{CLOSED_PORT}"}
    )
    async with open_pools(down) as nowhere:
        with pytest.raises(control.QueueUnavailable) as failure:
            await control.retry(resources.sessions, nowhere, job_id)

    assert f"'base' at 127.0.0.1:{CLOSED_PORT} does not answer" in failure.value.cause
    assert (await control.get_dead_letter(resources.sessions, job_id)).error == "no paint"


async def test_a_dead_letter_is_discarded(resources: Resources) -> None:
    job_id, other = (
        await add_dead_letter(resources, Paint()),
        await add_dead_letter(resources, Paint()),
    )

    assert (await control.discard(resources.sessions, job_id)).id == job_id
    assert [each.id for each in (await control.list_dead_letters(resources.sessions)).data] == [
        other
    ]
