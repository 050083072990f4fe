import pytest

from app.core import control
from app.core.queue import BASE, EMAIL
from app.core.resources import Resources
from app.schemas.jobs import BuildSignupReport
from tests.cli.conftest import Ask
from tests.ports import CLOSED_PORT


async def test_queues_are_shown_to_people_and_to_programs(resources: Resources, ask: Ask) -> None:
    async with resources.unit_of_work() as uow:
        uow.enqueue(BuildSignupReport())

    shown = await ask("queues", COLUMNS="80")
    assert (shown.code, shown.errors) == (0, "")
    header, base, email = shown.output.splitlines()
    assert header.split()[:4] == ["QUEUE", "WORKERS", "DUE", "RUNNING"]
    assert base.split()[:4] == ["base", "0", "1", "(0s)"]
    assert email.split()[0] == "email"
    assert max(map(len, (header, base, email))) <= 80

    [figures, _] = (await ask("queues", "--json")).json
    assert (figures["queue"], figures["due"], figures["outbox"]) == ("base", 1, 1)


async def test_a_queue_is_paused_and_resumed(resources: Resources, ask: Ask) -> None:
    paused = await ask("queues", "pause", "email")
    assert (paused.code, paused.output[:15]) == (0, "email is paused")
    assert (await control.queue_limits(resources, EMAIL)).paused
    assert not (await control.queue_limits(resources, BASE)).paused

    resumed = await ask("queues", "resume", "email", "--json")
    limits = {"paused": False, "rate": None, "concurrency": None}
    assert (resumed.code, resumed.json) == (0, {"queue": "email", "limits": limits})


async def test_limits_are_set_shown_and_lifted(ask: Ask) -> None:
    assert (await ask("queues", "rate", "email", "0.5")).code == 0
    assert (await ask("queues", "concurrency", "email", "3")).code == 0
    assert (await ask("queues", "pause", "email")).code == 0
    assert "paused, 0.5/s, max 3\n" in (await ask("queues", COLUMNS="100")).output

    assert (await ask("queues", "rate", "email", "off")).output == "email: no limit per second.\n"
    lifted = await ask("queues", "concurrency", "email", "off", "--json")
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
async def test_what_cannot_be_understood_is_exit_code_2(
    ask: Ask, arguments: tuple[str, ...]
) -> None:
    answer = await ask("queues", *arguments)

    assert (answer.code, answer.output) == (2, "")
    assert "usage: python -m app queues" in answer.errors


async def test_an_unknown_queue_is_answered_with_those_that_exist(ask: Ask) -> None:
    answer = await ask("queues", "pause", "mail")

    assert (answer.code, answer.output) == (1, "")
    assert answer.errors == "There is no queue 'mail'. The queues are: base, email\n"


async def test_a_redis_that_is_away_is_named_and_the_other_queues_are_shown(ask: Ask) -> None:
    away = f"redis://:secret@127.0.0.1:{CLOSED_PORT}/2"

    answer = await ask("queues", QUEUE_EMAIL_REDIS_URL=away)

    assert answer.code == 1
    assert [line.split()[0] for line in answer.output.splitlines()] == ["QUEUE", "base"]
    [complaint] = answer.errors.splitlines()
    assert complaint.startswith(f"Redis of the queue 'email' at 127.0.0.1:{CLOSED_PORT} does not")
    assert "secret" not in complaint


async def test_a_database_that_is_away_is_named(ask: Ask) -> None:
    answer = await ask("queues", DATABASE_URL=f"postgresql://u:p@127.0.0.1:{CLOSED_PORT}/db")

    assert (answer.code, answer.output) == (1, "")
    [complaint] = answer.errors.splitlines()
    assert complaint.startswith(f"PostgreSQL at 127.0.0.1:{CLOSED_PORT} does not answer")


async def test_a_database_without_its_tables_is_told_the_cure(
    resources: Resources, ask: Ask
) -> None:
    empty = resources.settings.database_url.rpartition("/")[0] + "/postgres"

    answer = await ask("queues", DATABASE_URL=empty)

    assert answer.code == 1
    cure = "Apply the migrations: alembic upgrade head"
    assert answer.errors == f'PostgreSQL refuses: relation "outbox" does not exist. {cure}\n'
