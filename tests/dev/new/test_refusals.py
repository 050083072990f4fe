"""A command that cannot work changes nothing and gives the reason in one sentence."""

import re
from pathlib import Path

import pytest

from app.core.queue import QUEUES
from tests.dev.new.support import last_writes, run, snapshot

KNOWN = ", ".join(queue.name for queue in QUEUES)
INVALID = {
    "resource Note a:str": "'Note' is not the name of a resource in snake_case, such as note.",
    "resource notes a:str": "'notes' looks like a plural: use the singular, or add --plural.",
    "resource sheep a:str --plural sheep": "The plural of 'sheep' must differ from the singular.",
    "resource try a:str": "'try' cannot be the name of a resource: it is a Python keyword.",
    "resource person a:str --plural People": (
        "'People' is not the plural of a resource in snake_case, such as people."
    ),
    "resource member a:str --plural user": (
        "'user' is reserved by PostgreSQL: choose another name."
    ),
    "resource note owner_id:uuid": "'owner_id' cannot be a field: the name is already used.",
    "resource note id:uuid": "'id' cannot be a field: the name is already used.",
    "resource note given:bool": "'given' cannot be a field: the name is already used.",
    "resource note update:text": (
        "'update' cannot be a field of this type: NoteUpdate is a schema of the resource."
    ),
    "resource field crop:str": (
        "'field' cannot be the name of a resource: it would hide a name of its own code."
    ),
    "resource scope a:str": (
        "'scope' cannot be the name of a resource: it would hide a name of its own code."
    ),
    "resource note metadata:str": "'metadata' cannot be a field: the name is already used.",
    "resource note": "The following arguments are required: FIELD. See bin/new resource --help.",
    "job base delete_old_reports": (
        "'delete_old_reports' is not the class of a job in PascalCase, such as DeleteOldReports."
    ),
    "job base HTTPCheck": "Spell HTTPCheck as HttpCheck: its function is http_check.",
    "job base Import": "'import' cannot be the class of a job: it is a Python keyword.",
    "job base Print": "'print' cannot be the class of a job: it would hide a Python built-in.",
    "job nope Ping": f"There is no queue 'nope'. Choose one of {KNOWN}, or add it first.",
    "job base Ping days": "'days' is not a field: write name:type, such as title:str.",
    "job base Ping days:": "'days:' is not a field: write name:type, such as title:str.",
    "job base Ping days:integer": (
        "The type of 'days:integer' is unknown. bin/new --help lists the types."
    ),
    "job base Ping Days:int": "'Days' is not a field in snake_case, such as days.",
    "job base Ping class:int": "'class' cannot be a field: it is a Python keyword.",
    "job base Ping list:int": "'list' cannot be a field: it would hide a Python built-in.",
    "job base Ping date:date": "'date' cannot be a field: call it due_date, for example.",
    "job base Ping queue:str": "'queue' cannot be a field: the name is already used.",
    "job base Ping model_dump:str": "'model_dump' cannot be a field: the name is already used.",
    "job base Ping a:int a:str": "The field 'a' is given twice.",
    "email OrderShipped": (
        "'OrderShipped' is not the name of an email in snake_case, such as order_shipped."
    ),
    "email send_receipt": "Leave out the verb: call it receipt.",
    "email receipt template:str": "'template' cannot be a field: the name is already used.",
    "email receipt link:str": "'link' cannot be a field: the name is already used.",
    "queue Media": "'Media' is not the name of a queue in snake_case, such as media.",
    "queue media --redis-db 2": "The Redis database 2 belongs to the queue email.",
    "queue media --redis-db 0": "The Redis database 0 belongs to REDIS_URL.",
    "queue media --redis-db -1": "The number of the Redis database must be at least 1.",
    "queue media --concurrency 0": ("A worker must run at least one job: --concurrency 1 or more."),
    f"queue {'q' * 41}": (
        f"'{'q' * 41}' is too long for the name of a queue: use at most 38 characters."
    ),
    "job base": "The following arguments are required: CLASS, FIELD. See bin/new job --help.",
    "queue media --concurrency many": (
        "Argument --concurrency: invalid int value: 'many'. See bin/new queue --help."
    ),
}
TAKEN = {
    "resource item a:str": "The table items already exists.",
    "resource purpose a:str": "app/models/__init__.py already has the name Purpose.",
    "resource page title:str": "app/routes/pages already exists.",
    "resource health a:str --plural health_checks": "app/schemas/health.py already exists.",
    "resource log_in a:str --plural login": "app/routes/api.py already has the name login.",
    "job base DeleteExpired": "app/schemas/jobs.py already has the name DeleteExpired.",
    "job base Annotated": "app/schemas/jobs.py already has the name Annotated.",
    "email welcome_email": "app/services/emails/catalog.py already has the name welcome_email.",
    "email base": "app/templates/email/base.html already exists.",
    "queue email": "The queue email already exists.",
    "queue queues": "app/core/queue.py already has the name QUEUES.",
}


@pytest.fixture(scope="module")
def untouched(untouched_project: Path) -> dict[Path, tuple[int, int]]:
    """The last changes of the project, after which there must be no other."""
    return last_writes(untouched_project)


@pytest.mark.parametrize("command", INVALID)
def test_an_argument_that_can_never_work_is_refused(
    untouched_project: Path,
    untouched: dict[Path, tuple[int, int]],
    command: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(untouched_project, command) == 2
    assert capsys.readouterr() == ("", f"bin/new: {INVALID[command]}\n")
    assert last_writes(untouched_project) == untouched


@pytest.mark.parametrize("command", TAKEN)
def test_an_existing_name_is_not_added_again(
    untouched_project: Path,
    untouched: dict[Path, tuple[int, int]],
    command: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(untouched_project, command) == 1
    assert capsys.readouterr() == ("", f"bin/new: {TAKEN[command]}\n")
    assert last_writes(untouched_project) == untouched


@pytest.mark.parametrize(
    "command", ["resource note a:str", "job base Ping days:int", "queue media", "email ping"]
)
def test_nothing_is_added_twice(
    project: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(project, command) == 0
    after = snapshot(project)

    assert run(project, command) == 1
    assert capsys.readouterr().err.count("\n") == 1
    assert snapshot(project) == after


def test_a_file_without_the_expected_place_is_named(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    queues = project / "app/core/queue.py"
    declared = re.compile(r"^QUEUES = \(.*?\)$", re.MULTILINE | re.DOTALL)
    queues.write_text(declared.sub("QUEUES = tuple(ALL)", queues.read_text()))
    before = snapshot(project)

    assert run(project, "queue media") == 1
    assert capsys.readouterr().err == (
        "bin/new: app/core/queue.py has no tuple, list, or set called QUEUES, "
        "so bin/new cannot extend it: follow the guide in setup.md.\n"
    )
    assert snapshot(project) == before


def test_a_file_that_python_cannot_read_is_named(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "app/schemas/jobs.py").write_text("def broken(:\n")

    assert run(project, "job base Ping") == 1
    assert capsys.readouterr().err.startswith("bin/new: app/schemas/jobs.py is not valid Python")
