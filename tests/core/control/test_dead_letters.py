from uuid import uuid4

import pytest

from app.core import control
from app.core.queue import BASE, EMAIL
from app.core.resources import Resources
from tests.core.control.jobs import Paint, Write, add_dead_letter, enqueue


async def test_dead_letters_are_listed_newest_first(resources: Resources) -> None:
    first, second, third = [await add_dead_letter(resources, Paint()) for _ in range(3)]
    await enqueue(resources, Paint())

    page = await control.list_dead_letters(resources.sessions)
    assert ([letter.id for letter in page.data], page.count) == ([third, second, first], 3)
    page = await control.list_dead_letters(resources.sessions, limit=1, offset=1)
    assert ([letter.id for letter in page.data], page.count) == ([second], 3)


async def test_dead_letters_are_listed_by_queue_and_by_kind(resources: Resources) -> None:
    painting, letter = (
        await add_dead_letter(resources, Paint()),
        await add_dead_letter(resources, Write()),
    )

    by_queue = await control.list_dead_letters(resources.sessions, queue=EMAIL)
    by_kind = await control.list_dead_letters(resources.sessions, kind="Paint")
    neither = await control.list_dead_letters(resources.sessions, queue=BASE, kind="Write")

    assert [each.id for each in by_queue.data] == [letter]
    assert [each.id for each in by_kind.data] == [painting]
    assert neither.count == 0
    assert await control.count_dead_letters(resources.sessions) == {"Paint": 1, "Write": 1}


async def test_a_dead_letter_is_returned_with_all_its_details(resources: Resources) -> None:
    job_id = await add_dead_letter(
        resources, Paint(color="blue"), key="wall", error="OSError: no paint"
    )

    letter = await control.get_dead_letter(resources.sessions, job_id)

    assert (letter.queue, letter.name, letter.key) == ("base", "Paint", "wall")
    assert (letter.payload, letter.error) == ({"color": "blue"}, "OSError: no paint")
    assert (letter.attempts, letter.crashes, letter.traceback) == (3, 1, "Traceback: …")
    assert letter.enqueued_at <= letter.failed_at


async def test_a_waiting_job_is_not_a_dead_letter(resources: Resources) -> None:
    alive = await enqueue(resources, Paint())

    for job_id in (alive, uuid4()):
        with pytest.raises(control.DeadLetterNotFound, match=str(job_id)):
            await control.get_dead_letter(resources.sessions, job_id)
