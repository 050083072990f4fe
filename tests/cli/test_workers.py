from uuid import uuid4

from app import __version__
from app.core.resources import Resources
from tests.cli.results import RunCommand
from tests.core.control.jobs import describing_itself


async def test_workers_are_shown_with_their_jobs(
    resources: Resources, run_command: RunCommand
) -> None:
    job_id = uuid4()
    async with describing_itself(resources, job_id):
        shown = await run_command("workers")
        listed = (await run_command("workers", "--json")).json

    header, worker, _, job_header, job = shown.output.splitlines()
    assert header.split()[:4] == ["QUEUE", "HOST", "PID", "VERSION"]
    assert worker.split()[-5:] == ["MiB", "1/5", "7", "1", "2"]
    assert worker.split()[3] == __version__
    assert job_header.split() == ["QUEUE", "PID", "JOB", "FOR", "KIND"]
    assert job.split()[2:] == [str(job_id), "0s", "Paint"]
    assert [each["running"][0]["id"] for each in listed] == [str(job_id)]


async def test_without_a_live_worker_the_command_prints_one_sentence(
    run_command: RunCommand,
) -> None:
    assert (await run_command("workers")).output == "No worker is alive.\n"
    assert (await run_command("workers", "--json")).json == []
