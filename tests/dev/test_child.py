"""A process ends when its owner ends, however the owner ends."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.child import Child, Lifeline
from tests.dev.owner import descendants, first_line, kill, owner, wait_until_gone

START_A_CHILD = """
import os, sys
from dev.child import Child
program = "import time; print('up', flush=True); time.sleep(60)"
child = Child([sys.executable, "-c", program], output=1)
"""
STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("up", flush=True)
time.sleep(60)
"""


@pytest.fixture
def output(tmp_path: Path) -> Iterator[int]:
    with (tmp_path / "output").open("wb") as file:
        yield file.fileno()


def test_a_child_dies_with_an_owner_that_is_killed() -> None:
    with owner(START_A_CHILD + "sys.stdin.read()") as (process, _):
        family = descendants(process.pid)
        kill(process.pid)
        assert len(family) == 2
        assert wait_until_gone(family) == []


def test_a_forked_copy_of_the_owner_does_not_keep_the_child_alive() -> None:
    fork = "os.fork() or os.closerange(0, 3)\nimport time; time.sleep(300)"
    with owner(START_A_CHILD + fork) as (process, _):
        family = descendants(process.pid)
        copy = next(pid for pid in family if pid not in babysitters_and_children(family))
        kill(process.pid)
        assert wait_until_gone(set(family) - {copy}) == []
        kill(copy)


def babysitters_and_children(family: list[int]) -> set[int]:
    with_children = {pid for pid in family if descendants(pid)}
    return with_children | {child for pid in with_children for child in descendants(pid)}


def test_a_child_outlives_the_signals_of_the_terminal_until_its_owner_stops_it(output: int) -> None:
    with Child([sys.executable, "-c", "import time; time.sleep(60)"], output=output) as child:
        assert os.getpgid(child.pid) != os.getpgrp()
        assert child.exit_code is None
    assert child.exit_code == 128 + signal.SIGTERM


@pytest.mark.parametrize(("program", "expected"), [("exit(7)", 7), ("import os; os.abort()", 134)])
def test_the_exit_code_of_a_child_reaches_the_owner(
    program: str, expected: int, output: int
) -> None:
    with Child([sys.executable, "-c", program], output=output) as child:
        assert child.wait() == expected


def test_a_program_that_does_not_exist_is_named(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("wb") as file, Child(["no-such-server"], output=file.fileno()) as child:
        assert child.wait() == 127
    assert log.read_text() == "no-such-server: No such file or directory\n"


def test_a_child_that_ignores_the_gentle_signal_is_killed() -> None:
    lifeline = Lifeline(grace=0.1)
    command = lifeline.command([sys.executable, "-c", STUBBORN], signal.SIGTERM)
    with subprocess.Popen(  # noqa: S603  our own
        command, stdout=subprocess.PIPE, text=True, pass_fds=[lifeline.far_end]
    ) as process:
        lifeline.started()
        first_line(process.stdout)
        lifeline.cut()
        assert process.wait() == 128 + signal.SIGKILL


if sys.platform == "linux":

    def test_a_child_dies_with_its_babysitter() -> None:
        with owner(START_A_CHILD + "sys.stdin.read()") as (process, _):
            babysitter, child = descendants(process.pid)
            kill(babysitter)
            assert wait_until_gone([child]) == []
