"""The commands as processes of their own."""

import asyncio
import os
import sys

from app.core import control
from app.core.queue import EMAIL, QUEUES
from app.core.resources import Resources
from tests.cli.results import RunCommand
from tests.support.processes import environment, run_process
from tests.support.servers import ROOT


async def test_a_command_is_a_process_with_an_exit_code(resources: Resources) -> None:
    pause = ("-m", "app", "queues", "pause")
    async with (
        run_process(resources.settings, *pause, "email") as known,
        run_process(resources.settings, *pause, "post") as unknown,
    ):
        assert (await known.wait_for_exit(), await unknown.wait_for_exit()) == (0, 1)

    assert known.output == "email is paused: no further job starts. Running jobs continue.\n"
    names = ", ".join(queue.name for queue in QUEUES)
    assert unknown.output == f"There is no queue 'post'. The queues are: {names}\n"
    assert (await control.queue_limits(resources.queues, EMAIL)).paused


async def test_a_closed_pipe_ends_a_command_without_a_traceback(resources: Resources) -> None:
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


async def test_help_names_the_commands(run_command: RunCommand) -> None:
    answer = await run_command("--help")

    assert answer.code == 0
    assert {"queues", "jobs", "workers"} <= set(answer.output.split())
