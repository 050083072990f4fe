import pytest

from app.core.resources import Resources
from tests.cli.results import RunCommand
from tests.core.control.jobs import Paint, add_dead_letter, enqueue


async def test_jobs_are_listed_by_state_page_by_page(
    resources: Resources, run_command: RunCommand
) -> None:
    first, second = [await enqueue(resources, Paint(color="blue")) for _ in range(2)]
    await enqueue(resources, Paint())
    command = ("jobs", "list", "waiting", "--argument", "color=blue", "--limit", "1")

    shown = await run_command(*command)
    assert (shown.code, shown.errors) == (0, "")
    _, line, more = shown.output.splitlines()
    assert line.startswith(str(second))
    [job] = (await run_command(*command, *more.split()[1:], "--json")).json["data"]
    assert (job["id"], job["state"]) == (str(first), "waiting")


async def test_dead_letters_are_grouped(resources: Resources, run_command: RunCommand) -> None:
    for _ in range(2):
        await add_dead_letter(resources, Paint(), error="OSError: no paint")

    shown = await run_command("jobs", "groups")

    assert shown.output.splitlines()[1].split()[:4] == ["base", "Paint", "OSError", "2"]


async def test_job_classes_are_shown(run_command: RunCommand) -> None:
    assert "SendWelcomeEmail" in (await run_command("jobs", "classes")).output
    details = await run_command("jobs", "classes", "BuildSignupReport")
    assert "app/schemas/jobs.py:" in details.output


@pytest.mark.parametrize(
    "arguments",
    [("list", "somewhere"), ("list", "dead", "--since", "yesterday"), ("list",)],
    ids=" ".join,
)
async def test_an_invalid_filter_exits_with_code_2(
    run_command: RunCommand, arguments: tuple[str, ...]
) -> None:
    assert (await run_command("jobs", *arguments)).code == 2
