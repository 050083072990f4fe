from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from app.core import control
from app.core.control.decisions import JobHeld
from app.core.job_record import JobState
from app.core.outbox import JobAlive
from app.core.queue import BASE
from app.core.redis import open_pools
from app.core.resources import Resources
from app.workers.context import JobContext
from tests.conftest import until
from tests.core.control.jobs import Paint, bury, enqueue, working
from tests.ports import CLOSED_PORT


async def state_of(resources: Resources, job_id: UUID) -> JobState:
    return (await control.find_job(resources, job_id)).state


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
        await until(lambda: has(resources, job_id, JobState.FAILED))
        await until(lambda: is_forgotten(resources, job_id))
        cured = True
        letter = await control.retry(resources, job_id)
        await until(lambda: has(resources, job_id, JobState.SUCCEEDED))

    assert (letter.id, letter.error) == (job_id, "ZeroDivisionError: ")
    assert attempts == [1, 1]
    assert (await control.dead_letters(resources)).count == 0


async def is_forgotten(resources: Resources, job_id: UUID) -> bool:
    """Look whether the worker has let go of a job."""
    return not await resources.queues[BASE].exists(f"arq:in-progress:{job_id}")


async def test_crashes_are_forgiven_with_the_retry(resources: Resources) -> None:
    job_id = await bury(resources, Paint())
    redis, crashes = resources.queues[BASE], f"{BASE.key}:crashes"
    async with redis.pipeline() as pipe:
        pipe.hset(crashes, str(job_id), "3")
        pipe.set(f"arq:retry:{job_id}", 3)
        pipe.set(f"arq:result:{job_id}", b"{}")
        await pipe.execute()

    await control.retry(resources, job_id)

    assert not await redis.exists(crashes, f"arq:retry:{job_id}", f"arq:result:{job_id}")
    assert await redis.zscore(BASE.key, str(job_id)) is not None


async def test_a_retry_waits_for_a_worker_that_holds_the_job(resources: Resources) -> None:
    job_id = await bury(resources, Paint())
    await resources.queues[BASE].set(f"arq:in-progress:{job_id}", "w/1/1")

    with pytest.raises(JobHeld, match=str(job_id)):
        await control.retry(resources, job_id)
    assert await state_of(resources, job_id) is JobState.FAILED


async def test_a_retry_is_refused_while_another_job_has_the_key(resources: Resources) -> None:
    dead = await bury(resources, Paint(), key="wall")
    alive = await enqueue(resources, Paint(), key="wall")

    with pytest.raises(JobAlive, match=str(alive)):
        await control.retry(resources, dead)
    assert await state_of(resources, dead) is JobState.FAILED


async def test_what_is_no_dead_letter_can_neither_be_retried_nor_discarded(
    resources: Resources,
) -> None:
    for job_id in (await enqueue(resources, Paint()), uuid4()):
        with pytest.raises(control.DeadLetterNotFound):
            await control.retry(resources, job_id)
        with pytest.raises(control.DeadLetterNotFound):
            await control.discard(resources, job_id)


async def test_a_retry_changes_nothing_while_redis_is_away(resources: Resources) -> None:
    job_id = await bury(resources, Paint())
    away = resources.settings.model_copy(
        update={"queue_redis_urls": {}, "redis_url": f"redis://127.0.0.1:{CLOSED_PORT}"}
    )
    async with open_pools(away) as nowhere:
        with pytest.raises(control.QueueUnavailable) as failure:
            await control.retry(replace(resources, queues=nowhere), job_id)

    assert f"'base' at 127.0.0.1:{CLOSED_PORT} does not answer" in failure.value.cause
    assert (await control.dead_letter(resources, job_id)).error == "no paint"


async def test_all_of_a_kind_are_retried_except_where_that_cannot_be(resources: Resources) -> None:
    held, keyless = await bury(resources, Paint()), await bury(resources, Paint())
    older, newer = [await bury(resources, Paint(), key="wall") for _ in range(2)]
    await resources.queues[BASE].set(f"arq:in-progress:{held}", "w/1/1")

    assert await control.retry_all(resources, "Paint") == control.Retried(2, left=2)

    left = await control.dead_letters(resources)
    assert {letter.id for letter in left.data} == {held, older}
    waiting = await resources.queues[BASE].zrange(BASE.key, 0, -1)
    assert {UUID(each.decode()) for each in waiting} == {keyless, newer}
    assert await control.retry_all(resources, "Unknown") == control.Retried(0, left=0)


async def test_a_dead_letter_is_discarded(resources: Resources) -> None:
    job_id, other = await bury(resources, Paint()), await bury(resources, Paint())

    assert (await control.discard(resources, job_id)).id == job_id
    assert [each.id for each in (await control.dead_letters(resources)).data] == [other]


async def test_all_of_a_kind_are_discarded(resources: Resources) -> None:
    for _ in range(3):
        await bury(resources, Paint())
    alive = await enqueue(resources, Paint())

    assert await control.discard_all(resources, "Paint") == 3
    assert await control.discard_all(resources, "Paint") == 0
    assert await state_of(resources, alive) is JobState.QUEUED
