"""The watched jobs of a process, when Redis loses events."""

from contextlib import ExitStack
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from app.core.broker.client import QueueRedis
from app.core.broker.keys import QueueKeys
from app.core.job_events import hub
from app.core.job_events.hub import job_events
from app.core.job_store.live import save_progress
from app.core.job_store.record import JobRecord, JobState
from app.core.queue import BASE, QUEUES
from app.core.redis import open_pools
from app.core.resources import Resources
from app.schemas.jobs import BuildSignupReport
from tests.chaos.redis_server import RedisServer
from tests.records import find_job
from tests.support.waiting import stall_limit, wait_until


async def test_a_state_whose_event_was_lost_is_found_by_the_poll(
    committing_resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "POLL", 0.05)
    monkeypatch.setattr(hub, "POLL_WITHOUT_EVENTS", 0.05)
    queues = committing_resources.queues
    job_id = await queues.send(BuildSignupReport())
    keys = QueueKeys(BASE)
    async with job_events(committing_resources.sessions, queues) as events:
        job = await find_job(queues, job_id)
        assert job is not None
        with events.watch(job) as watch:
            states = aiter(watch)
            assert (await anext(states)) == job
            # Change the state without publishing an event.
            await queues[BASE].set(keys.in_progress(job_id), "worker/1")
            async with stall_limit("the poll"):
                record = await anext(states)

    assert isinstance(record, JobRecord)
    assert record.state is JobState.RUNNING


async def test_all_watches_of_a_process_share_one_subscription_for_each_queue(
    committing_resources: Resources,
) -> None:
    queues = committing_resources.queues
    job_ids = [await queues.send(BuildSignupReport()) for _ in range(20)]
    jobs = [await find_job(queues, job_id) for job_id in job_ids]
    async with job_events(committing_resources.sessions, queues) as events:

        async def is_live() -> bool:
            return events.is_live

        with ExitStack() as stack:
            for job in jobs:
                assert job is not None
                stack.enter_context(events.watch(job))
            await wait_until(is_live)
            subscriptions = [await count_subscriptions(queues[queue]) for queue in QUEUES]

    assert subscriptions == [1] * len(QUEUES)


async def test_a_job_is_watched_through_the_end_of_its_redis_and_after_its_return(
    committing_resources: Resources, tmp_path: Path
) -> None:
    with RedisServer(tmp_path / "valkey", {}) as server:
        one_redis = {"redis_url": server.url, "queue_redis_urls": {}}
        settings = committing_resources.settings.model_copy(update=one_redis)
        async with (
            open_pools(settings) as queues,
            job_events(committing_resources.sessions, queues) as events,
        ):
            job_id = await queues.send(BuildSignupReport())
            job = await find_job(queues, job_id)
            assert job is not None
            with events.watch(job) as watch, capture_logs() as logs:
                states = aiter(watch)
                assert (await anext(states)) == job
                await wait_until(lambda: answer(events.is_live))
                await server.kill()
                await wait_until(lambda: answer(not events.is_live))
                await server.restart()
                await wait_until(lambda: answer(events.is_live))
                await save_progress(queues[BASE], job_id, 0.5, "half")
                async with stall_limit("the progress"):
                    record = await anext(states)

    assert isinstance(record, JobRecord)
    assert (record.progress, record.progress_message) == (0.5, "half")
    lost = [entry["channel"] for entry in logs if entry["event"] == "events.lost"]
    assert sorted(lost) == sorted(QueueKeys(queue).events for queue in QUEUES)


async def answer(value: bool) -> bool:
    return value


async def count_subscriptions(redis: QueueRedis) -> int:
    """Count the clients that listen, among those of the database that only this test uses."""
    database = redis.connection_pool.connection_kwargs["db"]
    clients = await redis.client_list(_type="pubsub")
    return sum(int(client["db"]) == int(database) for client in clients)
