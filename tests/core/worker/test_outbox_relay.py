from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from redis.exceptions import RedisError
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession
from structlog.testing import capture_logs

from app.core.broker.keys import QueueKeys
from app.core.job_store import outbox, reconciliation
from app.core.job_store.reconciliation import Page, Position, read_page
from app.core.postgres.reader import Reader
from app.core.queue import BASE, EMAIL, Queue, QueuePools, to_message
from app.core.redis import open_pools
from app.core.resources import Resources
from app.core.worker import outbox_relay
from app.core.worker.outbox_relay import Relay, relaying
from app.schemas.jobs import BuildSignupReport
from tests.support.outbox import leave_unsent_jobs
from tests.support.ports import CLOSED_PORT
from tests.support.waiting import logged, wait_until

KEYS = QueueKeys(BASE)


@pytest.fixture
def resources(committing_resources: Resources) -> Resources:
    """Resources whose commits several connections can see."""
    return committing_resources


@pytest.fixture
async def unreachable(resources: Resources) -> AsyncIterator[Resources]:
    """Resources whose Redis is down."""
    down = resources.settings.model_copy(
        update={"queue_redis_urls": {}, "redis_url": f"redis://127.0.0.1:{CLOSED_PORT}"}
    )
    async with open_pools(down) as queues:
        yield replace(resources, queues=queues)


async def waiting(queues: QueuePools) -> set[UUID]:
    return {UUID(job.job_id) for job in await queues[BASE].queued_jobs()}


async def has_waiting(queues: QueuePools, *job_ids: UUID) -> bool:
    return await waiting(queues) == {*job_ids}


async def poll_all(relay: Relay) -> int:
    """Poll until no more rows are due for a check, and return the number of polls.

    The last poll gets the rows that have just become due.
    """
    polls = 2
    while await relay.poll():
        polls += 1
    await relay.poll()
    return polls


async def enqueue(resources: Resources, *, delay: timedelta | None = None) -> UUID:
    async with resources.unit_of_work() as uow:
        return uow.enqueue(BuildSignupReport(), delay=delay)


async def let_pass(resources: Resources, time: timedelta) -> None:
    """Make the rows older by a time."""
    async with resources.sessions.begin() as session:
        age = {"age": time}
        await session.execute(
            text("UPDATE outbox SET check_at = check_at - CAST(:age AS interval)"), age
        )
        await session.execute(
            text("UPDATE outbox SET due_at = due_at - CAST(:age AS interval)"), age
        )


async def test_a_job_whose_sender_died_after_the_commit_is_sent(
    resources: Resources, queues: QueuePools
) -> None:
    left = await leave_unsent_jobs(resources, jobs=3)

    async with relaying(BASE, resources):
        await wait_until(lambda: has_waiting(queues, *left))

    [job] = [job for job in await queues[BASE].queued_jobs() if job.job_id == str(left[1])]
    assert (job.function, dict(job.args[0])) == ("BuildSignupReport", {"days": 2})


async def test_a_job_is_left_to_its_sender_for_some_seconds(
    resources: Resources, queues: QueuePools
) -> None:
    await enqueue(resources)
    await queues[BASE].flushdb()

    await poll_all(Relay(BASE, resources))

    assert await waiting(queues) == set()


async def test_a_relay_sends_the_jobs_of_its_queue_only(
    resources: Resources, queues: QueuePools
) -> None:
    await leave_unsent_jobs(resources)

    await poll_all(Relay(EMAIL, resources))

    assert not await queues[BASE].zcard(KEYS.queue)
    assert not await queues[EMAIL].zcard(QueueKeys(EMAIL).queue)


async def test_more_rows_than_one_page_are_sent(
    resources: Resources, queues: QueuePools, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciliation, "PAGE_SIZE", 10)
    left = await leave_unsent_jobs(resources, jobs=35)

    # Because of transactions of other tests, some pages end early.
    assert await poll_all(Relay(BASE, resources)) >= 6
    assert await waiting(queues) == {*left}


async def test_waiting_jobs_cause_no_write(resources: Resources) -> None:
    await leave_unsent_jobs(resources, jobs=3)
    await enqueue(resources, delay=timedelta(days=30))
    relay = Relay(BASE, resources)
    await poll_all(relay)
    before = await versions(resources)

    for _ in range(3):
        await poll_all(relay)
    await poll_all(Relay(BASE, resources))

    assert await versions(resources) == before


async def versions(resources: Resources) -> list[tuple[str, str]]:
    """Return the version of each row, which every update changes."""
    async with resources.sessions() as session:
        rows = await session.execute(text("SELECT id::text, xmin::text FROM outbox ORDER BY id"))
        return [(row[0], row[1]) for row in rows]


async def test_a_job_that_is_due_much_later_waits_in_postgresql_and_comes_in_time(
    resources: Resources, queues: QueuePools
) -> None:
    job_id = await enqueue(resources, delay=timedelta(days=30))
    relay = Relay(BASE, resources)
    await poll_all(relay)
    assert await waiting(queues) == set()

    async def is_sent() -> bool:
        await poll_all(relay)
        return await has_waiting(queues, job_id)

    await let_pass(resources, timedelta(days=30, seconds=-1) - outbox.HORIZON)
    await wait_until(is_sent)

    due = await queues[BASE].zscore(KEYS.queue, str(job_id))
    async with resources.sessions() as session:
        record = await outbox.find(session, job_id)
    assert record is not None
    assert record.scheduled_for is not None
    assert due == pytest.approx(record.scheduled_for.timestamp() * 1000, abs=1)


@pytest.mark.usefixtures("no_grace")
async def test_a_job_that_commits_late_is_sent_although_the_relay_has_passed_it(
    resources: Resources, queues: QueuePools
) -> None:
    relay = Relay(BASE, resources)
    await poll_all(relay)
    async with uncommitted_job(resources) as (session, job_id):
        await poll_all(relay)
        newer = await leave_unsent_jobs(resources)
        await poll_all(relay)
        assert await waiting(queues) == {*newer}
        await session.commit()

    await poll_all(relay)

    assert await waiting(queues) == {job_id, *newer}


@pytest.mark.usefixtures("no_grace")
async def test_another_relay_does_not_pass_a_job_that_commits_late_either(
    resources: Resources, queues: QueuePools
) -> None:
    first = Relay(BASE, resources)
    await poll_all(first)
    async with uncommitted_job(resources) as (session, job_id):
        await leave_unsent_jobs(resources)
        await poll_all(first)
        await session.commit()

    await poll_all(Relay(BASE, resources))

    assert job_id in await waiting(queues)


@pytest.mark.usefixtures("no_grace")
async def test_a_job_that_commits_during_a_poll_is_sent_by_the_next_one(
    resources: Resources, queues: QueuePools, monkeypatch: pytest.MonkeyPatch
) -> None:
    relay = Relay(BASE, resources)
    await poll_all(relay)
    async with uncommitted_job(resources) as (session, job_id):

        async def read_page_while_it_commits(
            reader: Reader, queue: Queue, after: Position, until: datetime | None
        ) -> Page:
            page = await read_page(reader, queue, after, until)
            await session.commit()
            return replace(page, in_progress=frozenset())

        with monkeypatch.context() as patch:
            patch.setattr(outbox_relay, "read_page", read_page_while_it_commits)
            await relay.poll()
    assert await waiting(queues) == set()

    await poll_all(relay)

    assert await waiting(queues) == {job_id}


@pytest.fixture
def no_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make rows due for a check as soon as they are inserted."""
    monkeypatch.setattr(reconciliation, "GRACE", timedelta())


@asynccontextmanager
async def uncommitted_job(resources: Resources) -> AsyncIterator[tuple[AsyncSession, UUID]]:
    message = to_message(BuildSignupReport(), durable=True)
    async with resources.sessions() as session:
        await outbox.store(session, [message])
        await session.execute(text("UPDATE outbox SET check_at = clock_timestamp()"))
        yield session, message.id


async def test_an_emptied_redis_gets_all_jobs_again(
    resources: Resources, queues: QueuePools
) -> None:
    job_ids = [await enqueue(resources) for _ in range(3)]
    await let_pass(resources, outbox.GRACE)
    relay = Relay(BASE, resources)
    await poll_all(relay)

    await queues[BASE].flushdb()
    await poll_all(relay)

    assert await waiting(queues) == {*job_ids}


async def test_a_redis_that_lost_its_last_seconds_gets_the_jobs_of_that_time_again(
    resources: Resources, queues: QueuePools
) -> None:
    """A promoted replica or a backup has an earlier bookmark and lacks later jobs."""
    relay = Relay(BASE, resources)
    earlier, known = await send_earlier_jobs(relay, resources)
    lost = await leave_unsent_jobs(resources, jobs=2)
    await poll_all(relay)

    await lose(queues, lost, earlier)
    await poll_all(relay)

    assert await waiting(queues) == known | {*lost}


@pytest.mark.usefixtures("no_grace")
async def test_a_redis_that_lost_its_last_seconds_is_noticed_while_a_transaction_stays_open(
    resources: Resources, queues: QueuePools
) -> None:
    relay = Relay(BASE, resources)
    await poll_all(relay)
    async with uncommitted_job(resources):
        earlier, known = await send_earlier_jobs(relay, resources)
        lost = await leave_unsent_jobs(resources, jobs=2)
        await poll_all(relay)

        await lose(queues, lost, earlier)
        await poll_all(relay)

        assert await waiting(queues) == known | {*lost}


async def send_earlier_jobs(relay: Relay, resources: Resources) -> tuple[bytes | str, set[UUID]]:
    """Send some jobs with the relay. Return its bookmark in Redis and the ids of the jobs."""
    await leave_unsent_jobs(resources)
    await poll_all(relay)
    bookmark = await resources.queues[BASE].get(KEYS.bookmark)
    assert bookmark
    return bookmark, await waiting(resources.queues)


async def lose(queues: QueuePools, job_ids: Sequence[UUID], earlier: bytes | str) -> None:
    """Reset Redis to an earlier bookmark, without these jobs."""
    async with queues[BASE].pipeline() as pipe:
        pipe.delete(*map(KEYS.job, job_ids))
        pipe.zrem(KEYS.queue, *map(str, job_ids))
        pipe.set(KEYS.bookmark, earlier)
        await pipe.execute()


async def test_a_new_relay_continues_at_the_bookmark_of_another_while_a_transaction_stays_open(
    resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise, it would read all rows since the beginning of that transaction again."""
    pages: list[Page] = []

    async def read_and_count(
        reader: Reader, queue: Queue, after: Position, until: datetime | None
    ) -> Page:
        pages.append(await read_page(reader, queue, after, until))
        return pages[-1]

    async def a_new_relay_reads_no_row() -> bool:
        """Return True eventually. Transactions of other tests may make a relay step back first."""
        await poll_all(first)
        pages.clear()
        await poll_all(Relay(BASE, resources))
        return not any(page.rows for page in pages)

    monkeypatch.setattr(outbox_relay, "read_page", read_and_count)
    first = Relay(BASE, resources)
    await poll_all(first)
    async with uncommitted_job(resources):
        await poll_all(first)
        await leave_unsent_jobs(resources, jobs=35)
        await wait_until(a_new_relay_reads_no_row)


async def test_a_single_lost_job_is_found_by_the_scan_of_all_rows(
    resources: Resources, queues: QueuePools, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = await leave_unsent_jobs(resources, jobs=3)
    relay = Relay(BASE, resources)
    await poll_all(relay)

    async def stays_lost() -> bool:
        """Return True eventually. Transactions of other tests may make a relay step back."""
        await queues[BASE].delete(KEYS.job(left[0]))
        await queues[BASE].zrem(KEYS.queue, str(left[0]))
        await poll_all(relay)
        return await waiting(queues) == {*left[1:]}

    await wait_until(stays_lost)

    monkeypatch.setattr(outbox_relay, "FULL_SCAN_INTERVAL", 0)
    await poll_all(relay)

    assert await waiting(queues) == {*left}


@pytest.mark.parametrize("stored", ["", "soon", '{"position": "seven"}'])
async def test_a_relay_with_an_unreadable_bookmark_starts_from_the_beginning(
    resources: Resources, queues: QueuePools, stored: str
) -> None:
    left = await leave_unsent_jobs(resources)
    await queues[BASE].set(KEYS.bookmark, stored)

    await poll_all(Relay(BASE, resources))

    assert await waiting(queues) == {*left}


async def test_several_relays_send_each_job_once(resources: Resources, queues: QueuePools) -> None:
    relays = [Relay(BASE, resources) for _ in range(3)]
    left = await leave_unsent_jobs(resources, jobs=3)
    for relay in relays:
        await poll_all(relay)
    left += await leave_unsent_jobs(resources, jobs=3)
    for relay in relays:
        await poll_all(relay)

    assert await waiting(queues) == {*left}


async def test_a_job_that_redis_did_not_accept_is_sent_later(
    resources: Resources, unreachable: Resources
) -> None:
    left = await leave_unsent_jobs(resources, jobs=3)
    with pytest.raises(RedisError):
        await Relay(BASE, unreachable).poll()

    await poll_all(Relay(BASE, resources))

    assert await waiting(resources.queues) == {*left}


async def test_a_relay_survives_an_outage_and_logs_it_once(unreachable: Resources) -> None:
    with capture_logs() as lines:
        async with relaying(BASE, unreachable):
            await wait_until(lambda: logged(lines, "outbox.not_relayed"))

    assert [line["event"] for line in lines].count("outbox.not_relayed") == 1
