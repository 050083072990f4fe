from datetime import UTC, datetime

from app.core.queue import BASE, QueuePools
from app.core.resources import Resources
from app.core.worker.base_settings import WorkerSettings


def test_the_nightly_report_is_due_at_three_in_utc() -> None:
    nightly, *_ = WorkerSettings.cron_jobs

    nightly.calculate_next(datetime(2026, 3, 29, 2, 30, tzinfo=UTC))

    assert nightly.next_run is not None
    assert nightly.next_run.replace(microsecond=0) == datetime(2026, 3, 29, 3, 0, tzinfo=UTC)
    assert WorkerSettings.timezone is UTC


async def test_a_tick_has_its_job_done_once_however_many_workers_tick(
    queues: QueuePools, committing: Resources
) -> None:
    nightly, *_ = WorkerSettings.cron_jobs
    for _ in range(3):
        await nightly.coroutine({"resources": committing, "job_id": "cron:BuildSignupReport:1"})
    await nightly.coroutine({"resources": committing, "job_id": "cron:BuildSignupReport:2"})

    jobs = await queues[BASE].queued_jobs()
    assert [(job.function, job.args[0]) for job in jobs] == [
        ("BuildSignupReport", {"days": 30})
    ] * 2
