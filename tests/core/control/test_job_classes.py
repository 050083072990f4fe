"""The details of each job class."""

import asyncio
import inspect

import pytest

from app.core import control
from app.core.queue import BASE, Job
from app.core.resources import Resources
from app.core.worker.engine.worker import Worker
from app.core.worker.settings import worker_settings
from app.schemas import jobs
from app.workers.context import JobContext
from tests.core.control.jobs import enqueue
from tests.support.service import already_open
from tests.support.waiting import wait_until


class Varnish(Job, queue=BASE, max_tries=3, final=(ZeroDivisionError,)):
    coats: int


async def varnish(_: JobContext, job: Varnish) -> float:
    return 1 / job.coats


async def test_a_job_class_is_shown_with_its_times_its_failures_and_its_code(
    resources: Resources,
) -> None:
    async def both_ended() -> bool:
        summary = (await control.job_class_details(resources.queues, "Varnish")).summary
        return summary.last_hour.succeeded + summary.last_hour.failed == 2

    for coats in (0, 1):
        await enqueue(resources, Varnish(coats=coats))
    settings = worker_settings(
        BASE,
        handlers=[varnish],
        settings=resources.settings,
        open_resources=already_open(resources),
    )
    task = asyncio.create_task(Worker(settings).run())
    await wait_until(both_ended)
    details = await control.job_class_details(resources.queues, "Varnish")
    task.cancel()
    await asyncio.wait([task])

    assert (details.summary.queue, details.summary.max_tries) == ("base", 3)
    for activity in (details.summary.last_hour, details.last_day):
        assert (activity.succeeded, activity.failed) == (1, 1)
        assert activity.duration.p99 is not None
    histograms = details.histograms
    assert sum(histograms.duration) == sum(histograms.pickup) == 2
    assert len(histograms.duration) == len(histograms.bounds) + 1
    assert sum(details.summary.ended) == sum(details.ended_by_hour) == 2
    assert (len(details.summary.ended), len(details.ended_by_hour)) == (60, 24)
    [failure] = details.recent_failures
    assert failure.error_class == "ZeroDivisionError"
    for place, code in ((details.source, Varnish), (details.handler, varnish)):
        assert place == f"tests/core/control/test_job_classes.py:{inspect.getsourcelines(code)[1]}"
    assert [(each.name, each.is_required) for each in details.fields] == [("coats", True)]


async def test_the_job_classes_of_the_release_are_listed(resources: Resources) -> None:
    listed = {each.name: each for each in await control.list_job_classes(resources.queues)}

    assert listed["SendWelcomeEmail"].queue == "email"
    assert listed["BuildSignupReport"].timeout == jobs.BuildSignupReport.timeout
    assert "EmailJob" not in listed


async def test_a_job_class_that_does_not_exist_is_named(resources: Resources) -> None:
    with pytest.raises(control.JobClassNotFound, match="NoSuchJob"):
        await control.job_class_details(resources.queues, "NoSuchJob")
