from app.core.resources import Resources
from tests.cli.results import RunCommand
from tests.core.control.crons import working


async def test_crons_are_shown_and_run(resources: Resources, run_command: RunCommand) -> None:
    async with working(resources):
        shown = await run_command("crons", COLUMNS="120")
        ran = await run_command("crons", "run", "nightly")

    _, nightly = shown.output.splitlines()
    assert nightly.split()[:3] == ["nightly", "Paint", "base"]
    assert nightly.endswith("hour 3, minute 0, second 0 (Europe/Berlin)")
    assert (ran.code, ran.output[:21]) == (0, "Enqueued: nightly as ")


async def test_a_cron_that_no_worker_has_is_not_run(run_command: RunCommand) -> None:
    ran = await run_command("crons", "run", "nightly")

    assert (ran.code, ran.output) == (1, "")
    assert ran.errors.startswith("No live worker has a cron 'nightly'")
