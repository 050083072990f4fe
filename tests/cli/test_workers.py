from uuid import uuid4

from app import __version__
from app.core.resources import Resources
from tests.cli.conftest import Ask
from tests.core.control.jobs import describing_itself


async def test_workers_are_shown_with_their_jobs(resources: Resources, ask: Ask) -> None:
    job_id = uuid4()
    async with describing_itself(resources, job_id):
        shown = await ask("workers")
        listed = (await ask("workers", "--json")).json

    header, worker, _, job_header, job = shown.output.splitlines()
    assert header.split()[:4] == ["QUEUE", "HOST", "PID", "VERSION"]
    assert worker.split()[-5:] == ["MiB", "1/5", "7", "1", "2"]
    assert worker.split()[3] == __version__
    assert job_header.split() == ["QUEUE", "PID", "JOB", "FOR", "KIND"]
    assert job.split()[2:] == [str(job_id), "0s", "Paint"]
    assert [each["running"][0]["id"] for each in listed] == [str(job_id)]


async def test_that_no_worker_is_alive_is_said(ask: Ask) -> None:
    assert (await ask("workers")).output == "No worker is alive.\n"
    assert (await ask("workers", "--json")).json == []
