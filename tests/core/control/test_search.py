"""Jobs are found by their state, their error, their request, and their arguments."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID

import pytest
from structlog.contextvars import bound_contextvars

from app.core import control
from app.core.broker.sensitive import HIDDEN, Sensitive
from app.core.control import FoundJobs, JobFilter, JobView
from app.core.queue import BASE, Job, Retry
from app.core.resources import Resources
from app.workers.context import JobContext
from tests.core.control.jobs import (
    MANY_DEAD_LETTERS,
    Paint,
    Write,
    add_dead_letter,
    enqueue,
    working,
)
from tests.support.waiting import wait_until

DEAD = JobFilter(state=JobView.DEAD)
ENDING = (JobView.RETRYING, JobView.FINISHED)
LONG_AGO = datetime(2020, 6, 1, tzinfo=UTC)


class Whisper(Job, queue=BASE):
    user_id: int = 1
    secret: Annotated[str, Sensitive] = "hush"


async def search(
    resources: Resources, wanted: JobFilter, *, cursor: str | None = None, limit: int = 50
) -> FoundJobs:
    return await control.search_jobs(
        resources.sessions, resources.queues, wanted, cursor=cursor, limit=limit
    )


def ids(page: FoundJobs) -> list[UUID]:
    return [job.id for job in page.data]


async def test_each_job_is_in_the_list_of_its_state_only(resources: Resources) -> None:
    async def paint(_: JobContext, job: Paint) -> None:
        match job.color:
            case "red":
                begun.set()
                await asyncio.Event().wait()
            case "blue":
                raise Retry(defer=60)
            case _:
                raise ZeroDivisionError

    async def has_ended() -> bool:
        pages = [await search(resources, JobFilter(state=state)) for state in ENDING]
        return all(page.data for page in pages)

    begun = asyncio.Event()
    waiting = await enqueue(resources, Write())
    async with resources.unit_of_work() as uow:
        scheduled = uow.enqueue(Paint(), delay=timedelta(minutes=5))
    running, retrying, dead = [
        await enqueue(resources, Paint(color=color)) for color in ("red", "blue", "green")
    ]
    async with working(resources, paint):
        await begun.wait()
        await wait_until(has_ended)
        found = {state: ids(await search(resources, JobFilter(state=state))) for state in JobView}

    assert found == {
        JobView.WAITING: [waiting],
        JobView.SCHEDULED: [scheduled],
        JobView.RUNNING: [running],
        JobView.RETRYING: [retrying],
        JobView.DEAD: [dead],
        JobView.FINISHED: [dead],
    }


async def test_a_list_continues_where_its_last_page_ended(resources: Resources) -> None:
    waiting = [await enqueue(resources, job) for job in (Paint(), Write(), Paint(), Write())]
    async with resources.unit_of_work() as uow:
        scheduled = [uow.enqueue(Paint(), delay=timedelta(minutes=m)) for m in (3, 1, 2)]
    dead = [await add_dead_letter(resources, Paint()) for _ in range(3)]
    expected = {
        JobView.WAITING: waiting[::-1],
        JobView.SCHEDULED: [scheduled[1], scheduled[2], scheduled[0]],
        JobView.DEAD: dead[::-1],
    }

    for state, jobs in expected.items():
        seen, cursor = list[UUID](), None
        while True:
            page = await search(resources, JobFilter(state=state), cursor=cursor, limit=2)
            seen += ids(page)
            if (cursor := page.cursor) is None:
                break
        assert seen == jobs


@pytest.mark.parametrize(
    "wanted",
    [
        JobFilter(state=JobView.DEAD, queue="base"),
        JobFilter(state=JobView.DEAD, name="Paint"),
        JobFilter(state=JobView.DEAD, request_id="the request"),
        JobFilter(state=JobView.DEAD, arguments={"color": "blue"}),
        JobFilter(state=JobView.DEAD, error_class="LookupError"),
        JobFilter(state=JobView.DEAD, since=LONG_AGO, name="Paint"),
    ],
    ids=["queue", "name", "request_id", "arguments", "error_class", "since"],
)
async def test_dead_letters_are_filtered(resources: Resources, wanted: JobFilter) -> None:
    with bound_contextvars(request_id="the request"):
        found = await add_dead_letter(resources, Paint(color="blue"), error="LookupError: no blue")
    await add_dead_letter(resources, Write(), error="LookupErrors: no pen")

    assert ids(await search(resources, wanted)) == [found]
    assert ids(await search(resources, replace(wanted, until=LONG_AGO))) == []


async def test_running_jobs_are_filtered_by_their_arguments(resources: Resources) -> None:
    begun: list[Job] = []

    async def paint(_: JobContext, job: Paint) -> None:
        begun.append(job)
        await asyncio.Event().wait()

    async def both_run() -> bool:
        return len(begun) == 2

    for color in ("red", "blue"):
        await enqueue(resources, Paint(color=color))
    async with working(resources, paint):
        await wait_until(both_run)
        [found] = (
            await search(resources, JobFilter(state=JobView.RUNNING, arguments={"color": "blue"}))
        ).data

    assert (found.name, found.attempt, found.state) == ("Paint", 1, "running")
    assert found.started_at is not None


async def test_jobs_are_not_searched_by_a_sensitive_argument(resources: Resources) -> None:
    with pytest.raises(control.SensitiveArgument, match="secret"):
        await search(resources, JobFilter(state=JobView.DEAD, arguments={"secret": "hush"}))


async def test_a_cursor_of_another_list_is_refused(resources: Resources) -> None:
    for cursor in ("x", "1.x", f"{10**30}.{UUID(int=0)}"):
        with pytest.raises(control.InvalidCursor):
            await search(resources, DEAD, cursor=cursor)


async def test_a_search_that_takes_too_long_is_rejected_with_advice(resources: Resources) -> None:
    async with resources.sessions.begin() as session:
        await session.execute(MANY_DEAD_LETTERS, {"rows": 20_000})

    with pytest.raises(control.SearchTooBroad, match="Narrow it down"):
        await control.search_jobs(
            resources.sessions,
            resources.queues,
            JobFilter(state=JobView.DEAD, arguments={"color": "none"}),
            time_limit=0.001,
        )


async def test_the_details_hide_what_the_class_marks_as_sensitive(resources: Resources) -> None:
    job_id = await enqueue(resources, Whisper())

    details = await control.job_details(resources.sessions, resources.queues, job_id)

    assert details.payload == {"user_id": 1, "secret": HIDDEN}
    assert (details.can_cancel, details.can_retry, details.can_discard) == (True, False, False)


async def test_the_details_of_a_dead_letter_have_its_tries_and_its_traceback(
    resources: Resources,
) -> None:
    async def paint(ctx: JobContext, _: Paint) -> None:
        if ctx.attempt == 1:
            raise Retry(defer=0.001)
        raise ZeroDivisionError("no paint")

    async def is_recorded() -> bool:
        return len((await details_of(resources, job_id)).tries) == 2

    job_id = await enqueue(resources, Paint())
    async with working(resources, paint):
        await wait_until(is_recorded)

    details = await details_of(resources, job_id)
    assert [(each.attempt, each.outcome, each.error_class) for each in details.tries] == [
        (1, "retried", "Retry"),
        (2, "failed", "ZeroDivisionError"),
    ]
    assert details.traceback is not None
    assert (details.can_cancel, details.can_retry, details.can_discard) == (False, True, True)


async def details_of(resources: Resources, job_id: UUID) -> control.JobDetails:
    return await control.job_details(resources.sessions, resources.queues, job_id)
