"""The processes of the service on the servers of a test."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

from app.core.config import Settings
from dev.processes import free_port
from tests.chaos.processes import Process, start
from tests.support.servers import ROOT

END_OF_LOG = 4_000
UVICORN = ("-m", "uvicorn", "main:app", "--http", "app.core.http.protocol:BoundedHttp")
"""The program of the API in earlier releases."""


@dataclass
class Deployment:
    """Processes under the same settings, which end with the test."""

    settings: Settings
    folder: Path
    processes: list[Process] = field(default_factory=list)
    port: int = field(default_factory=free_port)

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start_api(self, *options: str, port: int | None = None, cwd: Path = ROOT) -> Process:
        """Start the API, of this project or of a copy of it, and return when it answers."""
        port = port or self.port
        program = ("run_api.py",) if (cwd / "run_api.py").exists() else UVICORN
        process = await self.run(*program, "--port", str(port), *options, cwd=cwd)
        async with asyncio.timeout(120), httpx2.AsyncClient() as client:
            while True:
                with suppress(httpx2.TransportError):
                    if (await client.get(f"http://127.0.0.1:{port}/health/live")).is_success:
                        return process
                assert process.is_running, process.output()[-END_OF_LOG:]
                await asyncio.sleep(0.05)

    async def start_worker(self, queue: str, *, cwd: Path = ROOT) -> Process:
        """Start a queue's worker, and return when it takes jobs."""
        worker = await self.run(f"run_{queue}_worker.py", cwd=cwd)
        await worker.wait_for_output("worker.started")
        return worker

    async def run(self, *arguments: str, cwd: Path = ROOT) -> Process:
        """Run this Python with arguments in a folder."""
        self.folder.mkdir(exist_ok=True)
        log = self.folder / f"{len(self.processes)}.log"
        process = await start(self.settings, log, *arguments, variables={}, cwd=cwd)
        self.processes.append(process)
        return process

    async def end(self) -> None:
        """End all processes, and print the ends of their logs, which pytest shows on failure."""
        for process in self.processes:
            if process.is_running:
                await process.kill()
            sys.stdout.write(f"\n--- {process.pid}\n{process.output()[-END_OF_LOG:]}")


@asynccontextmanager
async def deployed(settings: Settings, folder: Path) -> AsyncIterator[Deployment]:
    """Yield a deployment without processes. End all processes that a test starts in it."""
    deployment = Deployment(settings, folder)
    try:
        yield deployment
    finally:
        await deployment.end()
