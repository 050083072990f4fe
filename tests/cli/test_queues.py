import pytest

from app.core import control
from app.core.queue import BASE, EMAIL, QUEUES
from app.core.resources import Resources
from app.core.worker.execution.postponements import Postponements
from app.schemas.jobs import BuildSignupReport
from tests.cli.results import RunCommand
from tests.core.control.jobs import enqueue_on_unknown_queue
from tests.support.ports import CLOSED_PORT


async def test_queues_are_shown_as_a_table_and_as_json(
    resources: Resources, run_command: RunCommand
) -> None:
    async with resources.unit_of_work() as uow:
        uow.enqueue(BuildSignupReport())

    shown = await run_command("queues", COLUMNS="80")
    assert (shown.code, shown.errors) == (0, "")
    lines = shown.output.splitlines()
    header, base, email, *_ = lines
    assert header.split()[:4] == ["QUEUE", "WORKERS", "DUE", "RUNNING"]
    assert base.split()[:4] == ["base", "0", "1", "(0s)"]
    assert email.split()[0] == "email"
    assert max(map(len, lines)) <= 80

    [stats, *_] = (await run_command("queues", "--json")).json
    assert (stats["queue"], stats["due"]) == ("base", 1)
    assert stats["outbox"] == {"value": 1, "is_exact": True}


async def test_a_queue_that_is_not_in_the_code_is_shown_with_a_warning(
    resources: Resources, run_command: RunCommand
) -> None:
    await enqueue_on_unknown_queue(resources)

    shown = await run_command("queues", COLUMNS="100")
    assert shown.code == 0
    assert shown.output.splitlines()[-1].split()[0] == "retired"
    assert shown.output.endswith("not in the code\n")
    assert shown.errors.startswith("The queue 'retired' is not in the code")

    *_, retired = (await run_command("queues", "--json")).json
    assert (retired["queue"], retired["outbox"]["value"], retired["dead"]["value"]) == (
        "retired",
        1,
        0,
    )


async def test_jobs_that_wait_for_a_worker_of_another_release_are_reported(
    resources: Resources, run_command: RunCommand
) -> None:
    postponements = Postponements(resources.queues[BASE])
    for number in range(3):
        await postponements.postpone(f"job {number}", "DrawAvatar")

    shown = await run_command("queues")

    assert shown.code == 0
    assert shown.errors.startswith("3 of DrawAvatar on the queue 'base' wait for a worker")


async def test_a_queue_is_paused_and_resumed(resources: Resources, run_command: RunCommand) -> None:
    paused = await run_command("queues", "pause", "email")
    assert (paused.code, paused.output[:15]) == (0, "email is paused")
    assert (await control.queue_limits(resources.queues, EMAIL)).paused
    assert not (await control.queue_limits(resources.queues, BASE)).paused

    resumed = await run_command("queues", "resume", "email", "--json")
    limits = {"paused": False, "rate": None, "concurrency": None}
    assert (resumed.code, resumed.json) == (0, {"queue": "email", "limits": limits})


async def test_limits_are_set_shown_and_removed(run_command: RunCommand) -> None:
    assert (await run_command("queues", "rate", "email", "0.5")).code == 0
    assert (await run_command("queues", "concurrency", "email", "3")).code == 0
    assert (await run_command("queues", "pause", "email")).code == 0
    assert "paused, 0.5/s, max 3\n" in (await run_command("queues", COLUMNS="100")).output

    assert (
        await run_command("queues", "rate", "email", "off")
    ).output == "email: no limit per second.\n"
    lifted = await run_command("queues", "concurrency", "email", "off", "--json")
    assert lifted.json["limits"] == {"paused": True, "rate": None, "concurrency": None}


@pytest.mark.parametrize(
    "arguments",
    [
        ("rate", "email", "0"),
        ("rate", "email", "nan"),
        ("rate", "email", "fast"),
        ("concurrency", "email", "0"),
        ("concurrency", "email", "2.5"),
        ("pause",),
        ("explode", "email"),
    ],
)
async def test_an_invalid_command_line_exits_with_code_2(
    run_command: RunCommand, arguments: tuple[str, ...]
) -> None:
    answer = await run_command("queues", *arguments)

    assert (answer.code, answer.output) == (2, "")
    assert "usage: python -m app queues" in answer.errors


async def test_for_an_unknown_queue_the_known_queues_are_named(
    run_command: RunCommand,
) -> None:
    answer = await run_command("queues", "pause", "post")

    assert (answer.code, answer.output) == (1, "")
    known = ", ".join(queue.name for queue in QUEUES)
    assert answer.errors == f"There is no queue 'post'. The queues are: {known}\n"


async def test_a_redis_that_is_down_is_named_and_the_other_queues_are_shown(
    run_command: RunCommand,
) -> None:
    down = f"redis://:secret@127.0.0.1:{CLOSED_PORT}/2"

    answer = await run_command("queues", QUEUE_EMAIL_REDIS_URL=down)

    assert answer.code == 1
    _, *shown = [line.split()[0] for line in answer.output.splitlines()]
    assert shown == [queue.name for queue in QUEUES if queue is not EMAIL]
    [complaint] = answer.errors.splitlines()
    assert complaint.startswith(f"Redis of the queue 'email' at 127.0.0.1:{CLOSED_PORT} does not")
    assert "secret" not in complaint


async def test_a_database_that_is_down_is_named(run_command: RunCommand) -> None:
    answer = await run_command(
        "queues", DATABASE_URL=f"postgresql://u:p@127.0.0.1:{CLOSED_PORT}/db"
    )

    assert (answer.code, answer.output) == (1, "")
    [complaint] = answer.errors.splitlines()
    assert complaint.startswith(f"PostgreSQL at 127.0.0.1:{CLOSED_PORT} does not answer")


async def test_for_a_database_without_tables_the_cure_is_named(
    resources: Resources, run_command: RunCommand
) -> None:
    empty = resources.settings.database_url.rpartition("/")[0] + "/postgres"

    answer = await run_command("queues", DATABASE_URL=empty)

    assert answer.code == 1
    cure = "Apply the migrations: alembic upgrade head"
    assert answer.errors == f'PostgreSQL reports: relation "outbox" does not exist. {cure}\n'
