"""Processes of the service, started as a user starts them."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from pydantic import SecretStr

from app.core.config import Settings
from tests.support.coverage import unmeasured_environment
from tests.support.fork_server import can_fork, fork
from tests.support.servers import ROOT
from tests.support.waiting import stall_limit


class Process:
    """A running process whose output can be awaited line by line and read afterwards."""

    def __init__(
        self, pid: int, stdout: asyncio.StreamReader, wait: Callable[[], Awaitable[int]]
    ) -> None:
        self._pid = pid
        self._stdout = stdout
        self._wait = wait
        self.output = ""
        self._awaited = 0

    async def wait_for_line(self, text: str) -> str:
        """Wait for a text after the previously awaited one, and return its line.

        Two processes may write to one line. Raise AssertionError if the process ends first.
        """
        async with stall_limit(f"a line with {text!r}"):
            while (found := self.output.find(text, self._awaited)) < 0:
                raw = await self._stdout.readline()
                if not raw:
                    break
                self.output += raw.decode()
        if found < 0:
            raise AssertionError(f"the process ended without printing {text!r}:\n{self.output}")
        self._awaited = found + len(text)
        return self.output[:found].rpartition("\n")[2] + self.output[found:].partition("\n")[0]

    def signal(self, number: signal.Signals) -> None:
        os.kill(self._pid, number)

    @asynccontextmanager
    async def reading_output(self) -> AsyncIterator[None]:
        """Read the output in the background, because a full pipe would block the process."""
        reading = asyncio.create_task(self._read_on())
        try:
            yield
        finally:
            reading.cancel()
            await asyncio.wait([reading])

    async def _read_on(self) -> None:
        async for raw in self._stdout:
            self.output += raw.decode()

    async def wait_for_exit(self) -> int:
        """Wait for the end and return the exit code."""
        async with stall_limit("the end of the process"):
            self.output += (await self._stdout.read()).decode()
            return await self._wait()


@asynccontextmanager
async def run_process(
    settings: Settings, *arguments: str, cwd: Path = ROOT
) -> AsyncIterator[Process]:
    """Run this Python with arguments and these settings, in the project's or another folder.

    Coverage ignores the process, which then starts twice as fast. Other tests cover its lines.
    """
    variables = unmeasured_environment() | environment(settings)
    if can_fork(arguments, cwd):
        running = _forked(arguments, variables)
    else:
        running = _started(arguments, variables, cwd)
    async with running as process:
        yield process


@asynccontextmanager
async def _forked(arguments: Sequence[str], variables: Mapping[str, str]) -> AsyncIterator[Process]:
    reading, writing = os.pipe()
    stdout = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(stdout), os.fdopen(reading, "rb")
    )
    process = await asyncio.to_thread(fork, arguments, variables=variables, output=writing)
    os.close(writing)
    try:
        yield Process(process.pid, stdout, partial(asyncio.to_thread, process.wait))
    finally:
        await asyncio.to_thread(process.kill)
        transport.close()


@asynccontextmanager
async def _started(
    arguments: Sequence[str], variables: Mapping[str, str], cwd: Path
) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        cwd=cwd,
        env=variables,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdout is not None
    try:
        yield Process(process.pid, process.stdout, process.wait)
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


def environment(settings: Settings) -> dict[str, str]:
    """Return the environment variables that these settings are read from."""
    values = {name.upper(): value for name, value in settings if value not in (None, [])}
    urls = values.pop("QUEUE_REDIS_URLS")
    values |= {f"QUEUE_{name.upper()}_REDIS_URL": url for name, url in urls.items()}
    for name, provider in values.pop("OIDC_PROVIDERS").items():
        values |= {f"OIDC_{name}_{field}".upper(): value for field, value in provider}
    return {name: _as_text(value) for name, value in values.items()}


def _as_text(value: object) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, (list, tuple)):
        return ",".join(map(_as_text, value))
    return str(value)
