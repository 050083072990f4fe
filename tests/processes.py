"""Real processes of the service, as a user starts them."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from pydantic import SecretStr

from app.core.config import Settings

ROOT = Path(__file__).parent.parent
TIMEOUT = 30.0


class Process:
    """A running process; its output can be awaited line by line and read afterwards."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.output = ""

    async def says(self, text: str) -> str:
        """Wait for a line that contains a text. Raises AssertionError when the process ends."""
        assert self._process.stdout is not None
        async with asyncio.timeout(TIMEOUT):
            async for raw in self._process.stdout:
                line = raw.decode()
                self.output += line
                if text in line:
                    return line
        raise AssertionError(f"ended without saying {text!r}:\n{self.output}")

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    @asynccontextmanager
    async def heard_out(self) -> AsyncIterator[None]:
        """Read on in the background: a full pipe would hold up a process that says much."""
        reading = asyncio.create_task(self._read_on())
        try:
            yield
        finally:
            reading.cancel()
            await asyncio.wait([reading])

    async def _read_on(self) -> None:
        assert self._process.stdout is not None
        async for raw in self._process.stdout:
            self.output += raw.decode()

    async def ended(self) -> int:
        """Wait for the end and return the exit code."""
        assert self._process.stdout is not None
        async with asyncio.timeout(TIMEOUT):
            self.output += (await self._process.stdout.read()).decode()
            return await self._process.wait()


@asynccontextmanager
async def running(settings: Settings, *arguments: str, cwd: Path = ROOT) -> AsyncIterator[Process]:
    """Run this Python with arguments, from the project's or another folder, under these settings.

    Its lines are not measured: nearly all run in this process too, and it starts twice as fast.
    """
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("COVERAGE_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        cwd=cwd,
        env=inherited | environment(settings),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        yield Process(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


def environment(settings: Settings) -> dict[str, str]:
    """Write settings as the variables that they are read from."""
    values = {name.upper(): value for name, value in settings if value not in (None, [])}
    urls = values.pop("QUEUE_REDIS_URLS")
    values |= {f"QUEUE_{name.upper()}_REDIS_URL": url for name, url in urls.items()}
    for name, provider in values.pop("OIDC_PROVIDERS").items():
        values |= {f"OIDC_{name}_{field}".upper(): value for field, value in provider}
    return {name: _as_text(value) for name, value in values.items()}


def _as_text(value: object) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, list):
        return ",".join(map(str, value))
    return str(value)
