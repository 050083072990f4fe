"""The assumptions of a rollback to stock arq. An upgrade of arq that breaks them fails here."""

import asyncio
import inspect

import arq.worker
import pytest
from arq import Retry

from app.core.queue import BASE, Job
from app.core.resources import Resources
from app.core.worker import worker_settings
from app.core.worker.email_settings import WorkerSettings
from app.core.worker.execution.attempt import JobRunner
from app.core.worker.execution.observers import Observers
from app.workers.context import JobContext

READ_BY_ARQ = {
    "functions",
    "queue_name",
    "max_jobs",
    "redis_settings",
    "job_completion_wait",
    "keep_result",
    "on_startup",
    "on_shutdown",
    "job_serializer",
    "job_deserializer",
    "expires_extra_ms",
    "health_check_interval",
}


class Paint(Job, queue=BASE, max_tries=2, timeout=5, backoff=0.001):
    color: str


def test_arq_reads_our_settings_by_the_names_of_its_parameters() -> None:
    assert inspect.signature(arq.worker.Worker).parameters.keys() >= READ_BY_ARQ
    assert arq.worker.get_kwargs(WorkerSettings).keys() >= READ_BY_ARQ  # type: ignore[arg-type]


async def test_arq_gets_the_result_a_pause_or_the_error_of_a_job(
    committing_resources: Resources,
) -> None:
    async def paint(ctx: JobContext, job: Paint) -> dict[str, int]:
        if job.color == "none":
            raise OSError("no paint")
        return {"attempt": ctx.attempt}

    [function] = worker_settings(
        BASE, handlers=[paint], settings=committing_resources.settings
    ).functions
    ctx = {
        "job_id": "018f0000-0000-7000-8000-000000000001",
        "runner": JobRunner(committing_resources, Observers()),
    }

    async def call(payload: dict[str, str], *, job_try: int = 1) -> object:
        """Run the function as arq does, in a task of its own."""
        run = function.coroutine(ctx | {"job_try": job_try}, payload, request_id="r", kept=False)
        return await asyncio.ensure_future(run)

    assert (function.name, function.max_tries) == ("Paint", 2)
    assert await call({"color": "red"}) == {"attempt": 1}
    with pytest.raises(Retry):
        await call({"color": "none"})
    with pytest.raises(OSError, match="no paint"):
        await call({"color": "none"}, job_try=2)


def test_arq_counts_the_pause_of_a_retry_in_milliseconds() -> None:
    assert Retry(defer=1.5).defer_score == 1500
