"""The checks and the tests of the project pass after every command, in any order."""

from pathlib import Path

import pytest

from tests.dev.new.support import assert_passes, clone_the_project, lend_the_environment, run

pytestmark = pytest.mark.checkout

COMMANDS = (
    "resource client model:str statement:text done:bool",
    "queue media",
    "job media DrawAvatar user_id:uuid size:int label:str? at:datetime? price:decimal",
    "email order_shipped order:str price:decimal due:date?",
    "job base DeleteOldReports days:int",
    "resource order_item total:text? state:int at:datetime price:decimal day:date ratio:float",
    "email ping user:str",
    "resource person age:int? --plural people",
    "resource message update:bool",
    "resource quotation_of_many_spare_parts_for_car note:str?",
    "queue far_away --redis-db 9 --concurrency 1",
)
FIRST_OF_EACH_KIND = {
    next(command for command in COMMANDS if command.startswith(kind))
    for kind in ("resource", "queue", "job", "email")
}
"""The commands that are checked right afterward, such as a queue without a job. Mistakes of other
commands are still there at the end, because no command repairs the files of an earlier one."""

OTHER_ORDER = tuple(command for command in reversed(COMMANDS) if " media " not in command)
TESTS = (
    "tests/docs",
    "tests/routes",
    "tests/services",
    "tests/workers",
    "tests/cli",
    "tests/trust",
)
"""Folders, because naming a file would run all its tests, including this one."""


@pytest.mark.parametrize(
    ("commands", "checked"),
    [(COMMANDS, FIRST_OF_EACH_KIND), (OTHER_ORDER, set[str]())],
    ids=["one order", "another"],
)
def test_checks_and_tests_pass_after_commands_in_any_order(
    tmp_path: Path, commands: tuple[str, ...], checked: set[str]
) -> None:
    project = tmp_path / "project"
    clone_the_project(project)
    lend_the_environment(project)

    for command in commands:
        assert run(project, command) == 0, command
        if command in checked:
            assert_passes(project, "bin/check")
    assert_passes(project, "bin/check")
    assert_passes(project, "bin/test", *TESTS)
    assert_passes(project, "bin/test", "tests/test_architecture.py")
