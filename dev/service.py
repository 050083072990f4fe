"""A process of the application, which starts again when it ends or when its code changes."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    asynccontextmanager,
    nullcontext,
    suppress,
)
from dataclasses import dataclass, field

from dev.child import Lifeline
from dev.console import Console

GRACE = 2.0
"""Seconds to end after SIGTERM. bin/dev promises five, and its servers need the rest."""

FIRST_PAUSE, MAX_PAUSE = 0.5, 15.0
SETTLED = 10.0
"""Seconds after which a process has started successfully."""


@dataclass(frozen=True)
class Service:
    """A command that bin/dev keeps running."""

    name: str
    arguments: Sequence[str]
    environment: Mapping[str, str]
    console: Console
    inherits: Sequence[int] = ()
    while_down: Callable[[], AbstractAsyncContextManager[None]] = nullcontext
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def keep_running(self) -> None:
        """Run until canceled. A process that ends is started again after a growing pause."""
        pause = FIRST_PAUSE
        while True:
            self.changed.clear()
            began = time.monotonic()
            exit_code = await self._run_until_change()
            if exit_code is None or time.monotonic() - began > SETTLED:
                pause = FIRST_PAUSE
            if exit_code is not None:
                again = f"It starts again in {pause:g} s, or when its code changes."
                self.console.warn(f"{self.name} ended with exit code {exit_code}. {again}")
                async with self.while_down():
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self.changed.wait(), pause)
                pause = min(2 * pause, MAX_PAUSE)

    async def run(self) -> int:
        """Run the command once and return its exit code."""
        async with self._process() as process:
            return await process.wait()

    async def _run_until_change(self) -> int | None:
        async with self._process() as process:
            ended = asyncio.create_task(process.wait())
            changed = asyncio.create_task(self.changed.wait())
            try:
                await asyncio.wait({ended, changed}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                changed.cancel()
            return ended.result() if ended.done() else None

    @asynccontextmanager
    async def _process(self) -> AsyncIterator[asyncio.subprocess.Process]:
        lifeline = Lifeline(GRACE)
        try:
            process = await asyncio.create_subprocess_exec(
                *lifeline.command([sys.executable, *self.arguments], signal.SIGTERM),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                env={**os.environ, "PYTHONUNBUFFERED": "1", **self.environment},
                pass_fds=(lifeline.far_end, *self.inherits),
                start_new_session=True,
            )
        except BaseException:
            lifeline.cut()
            raise
        finally:
            lifeline.started()
        assert process.stdout
        output = asyncio.create_task(self._show(process.stdout))
        try:
            yield process
        finally:
            lifeline.cut()
            await process.wait()
            await output

    async def _show(self, stream: asyncio.StreamReader) -> None:
        rest = b""
        while chunk := await stream.read(65_536):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                self.console.line(self.name, line.decode(errors="replace"))
        if rest:
            self.console.line(self.name, rest.decode(errors="replace"))
