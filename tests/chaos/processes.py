"""Processes that are started as users start them, then killed and frozen."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from app.core.config import Settings
from tests.support.coverage import unmeasured_environment
from tests.support.processes import environment
from tests.support.servers import ROOT
from tests.support.waiting import STALLED_AFTER

CONCURRENCY = "CHAOS_CONCURRENCY"
"""The variable that tells a worker how many jobs it may run at once."""


@dataclass(frozen=True)
class Process:
    """A running process. Its output goes to a file, so that it never waits for a reader."""

    process: asyncio.subprocess.Process
    log: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def is_running(self) -> bool:
        return self.process.returncode is None

    def send(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def lower_priority(self) -> None:
        """Lower the priority, because other tests that run at the same time must not be late."""
        os.setpriority(os.PRIO_PROCESS, self.pid, 5)

    async def kill(self) -> None:
        self.send(signal.SIGKILL)
        await self.process.wait()

    async def wait_for_exit(self, within: float = STALLED_AFTER) -> int:
        """Wait for the end and return the exit code. Raise TimeoutError."""
        return await asyncio.wait_for(self.process.wait(), within)

    def output(self) -> str:
        return self.log.read_text(errors="replace")

    async def wait_for_output(self, words: str, *, within: float = STALLED_AFTER) -> None:
        """Wait for words in the output. Raise AssertionError."""
        deadline = time.monotonic() + within
        while words not in self.output():
            assert self.is_running, f"ended without saying {words!r}:\n{self.output()[-2000:]}"
            assert time.monotonic() < deadline, f"{words!r} is missing:\n{self.output()[-2000:]}"
            await asyncio.sleep(0.05)


async def start(
    settings: Settings,
    log: Path,
    *arguments: str,
    variables: Mapping[str, str],
    cwd: Path = ROOT,
) -> Process:
    """Run this Python with arguments, from the project's folder, under these settings."""
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *arguments,
            cwd=cwd,
            env={**unmeasured_environment(), **environment(settings), **variables},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=asyncio.subprocess.STDOUT,
        )
    return Process(process, log)
