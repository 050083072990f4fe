"""The commands as the processes that they are."""

import asyncio
import os
import sys

from app.core import control
from app.core.queue import EMAIL
from app.core.resources import Resources
from tests.cli.conftest import Ask
from tests.processes import ROOT, environment, running


async def test_a_command_is_a_process_with_an_exit_code(resources: Resources) -> None:
    pause = ("-m", "app", "queues", "pause")
    async with (
        running(resources.settings, *pause, "email") as known,
        running(resources.settings, *pause, "mail") as unknown,
    ):
        assert (await known.ended(), await unknown.ended()) == (0, 1)

    assert known.output == "email is paused: no further job begins, those that run go on.\n"
    assert unknown.output == "There is no queue 'mail'. The queues are: base, email\n"
    assert (await control.queue_limits(resources, EMAIL)).paused


async def test_a_reader_that_has_seen_enough_is_no_traceback(resources: Resources) -> None:
    """As in `python -m app jobs dead | head`."""
    reading, writing = os.pipe()
    os.close(reading)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "app", "queues"),
        cwd=ROOT,
        env=os.environ | environment(resources.settings),
        stdout=writing,
        stderr=asyncio.subprocess.PIPE,
    )
    os.close(writing)

    _, errors = await process.communicate()
    assert (process.returncode, errors) == (1, b"")


async def test_help_names_the_commands(ask: Ask) -> None:
    answer = await ask("--help")

    assert answer.code == 0
    assert {"queues", "jobs", "workers"} <= set(answer.output.split())
