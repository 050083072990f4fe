import pytest

from app.core import control, outbox
from app.core.queue import BASE, address
from app.core.resources import Resources
from app.workers.context import JobContext
from tests.conftest import until
from tests.core.control.jobs import Paint, working


@pytest.mark.parametrize("has_a_row", [True, False])
async def test_a_job_that_kills_its_workers_is_a_dead_letter_unless_its_effect_has_committed(
    committing: Resources, has_a_row: bool
) -> None:
    async def paint(_: JobContext, __: Paint) -> None:
        raise AssertionError("it would kill one worker more")

    async def is_given_up() -> bool:
        return not await redis.exists(BASE.key)

    redis, job = committing.queues[BASE], address(Paint(), kept=True)
    if has_a_row:
        async with committing.database.sessions.begin() as session:
            await outbox.keep(session, [(job, None)])
    await committing.queues.post([job])
    async with redis.pipeline() as pipe:
        pipe.hset(f"{BASE.key}:crashes", str(job.id), "3")
        await pipe.execute()
    async with working(committing, paint):
        await until(is_given_up)

    letters = await control.dead_letters(committing)
    assert [(each.id, each.crashes) for each in letters.data] == [(job.id, 3)] * has_a_row
