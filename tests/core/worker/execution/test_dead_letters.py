from typing import Annotated

import pytest

from app.core import control
from app.core.broker.keys import QueueKeys
from app.core.broker.sensitive import Sensitive
from app.core.job_store import outbox
from app.core.queue import BASE, Job, to_message
from app.core.resources import Resources
from app.core.worker.execution.dead_letters import dead_letter
from app.workers.context import JobContext
from tests.core.control.jobs import Paint, working
from tests.support.waiting import wait_until

KEYS = QueueKeys(BASE)


@pytest.mark.parametrize("has_a_row", [True, False])
async def test_a_job_that_crashes_its_workers_becomes_a_dead_letter_unless_its_effect_has_committed(
    committing_resources: Resources, has_a_row: bool
) -> None:
    async def paint(_: JobContext, __: Paint) -> None:
        raise AssertionError("it would kill one worker more")

    async def is_given_up() -> bool:
        return not await redis.exists(KEYS.queue)

    redis, job = committing_resources.queues[BASE], to_message(Paint(), durable=True)
    if has_a_row:
        async with committing_resources.sessions.begin() as session:
            await outbox.store(session, [job])
    await committing_resources.queues.post([job])
    async with redis.pipeline() as pipe:
        pipe.hset(KEYS.crashes, str(job.id), "3")
        await pipe.execute()
    async with working(committing_resources, paint):
        await wait_until(is_given_up)

    letters = await control.list_dead_letters(committing_resources.sessions)
    assert [(each.id, each.crashes) for each in letters.data] == [(job.id, 3)] * has_a_row


class Charge(Job, queue=BASE):
    card: Annotated[str, Sensitive]


async def test_a_dead_letter_names_no_sensitive_argument_of_its_job(resources: Resources) -> None:
    job = to_message(Charge(card="4000-0000"), durable=True)
    async with resources.sessions.begin() as session:
        await outbox.store(session, [job])
    assert await dead_letter(resources, job, 1, ValueError("the card 4000-0000 has expired"))

    letter = await control.get_dead_letter(resources.sessions, job.id)
    assert letter.error == "ValueError: the card ••• has expired"
    assert letter.payload == {"card": "•••"}
    assert "4000" not in (letter.traceback or "")
