"""The processes of the application. Their servers are already running."""

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from dev.apology import apologizing
from dev.changes import changed_code, changed_entry_points
from dev.console import Console
from dev.readiness import until_ready
from dev.server import StartError
from dev.servers import Provided
from dev.service import Service

NO_DELAYS = {"SHUTDOWN_DELAY": "0", "WORKER_GRACE_PERIOD": "1"}
"""No load balancer needs a delay here, and a restart for new code must be quick."""


SUPERUSER = """\
  The console is for superusers. This command asks for a password and creates one:
  .venv/bin/python -m app users create-superuser you@example.com"""


@dataclass
class Application:
    """The API and its workers, which use the provided servers."""

    root: Path
    listener: socket.socket
    variables: Mapping[str, str]
    provided: Sequence[Provided]
    console: Console
    services: dict[str, Service] = field(default_factory=dict)

    async def run(self) -> None:
        """Run the migrations, then all processes until canceled. Raise StartError."""
        if "DATABASE_ADMIN_URL" in self.variables:  # bin/dev's own server
            await self._run_once("roles", "-m", "app", "database", "roles")
        await self._run_once("migrations", "-m", "alembic", "upgrade", "head")
        async with asyncio.TaskGroup() as group:
            self._start_new_services(group)
            group.create_task(self._announce())
            for changes in (changed_code(self.root), changed_entry_points(self.root)):
                group.create_task(self._restart_on(changes, group))

    async def _run_once(self, name: str, *arguments: str) -> None:
        if await self._service(name, *arguments).run() != 0:
            raise StartError(f"The {name} failed, see above.")

    def _start_new_services(self, group: asyncio.TaskGroup) -> None:
        """Start the API, and a worker for each entry point that has no worker yet."""
        wanted = {"api": ["-m", "dev.serve", str(self.listener.fileno())]}
        for path in sorted(self.root.glob("run_*_worker.py")):
            wanted[path.stem.removeprefix("run_").replace("_", " ")] = [path.name]
        for name in wanted.keys() - self.services.keys():
            service = self._service(name, *wanted[name])
            self.services[name] = self._serving(service) if name == "api" else service
            group.create_task(self.services[name].keep_running())

    def _service(self, name: str, *arguments: str) -> Service:
        return Service(
            name=name,
            arguments=arguments,
            environment={**self.variables, **NO_DELAYS},
            console=self.console,
        )

    def _serving(self, api: Service) -> Service:
        """Give the API its socket, which bin/dev answers on while the API does not run."""
        return replace(
            api,
            inherits=[self.listener.fileno()],
            while_down=lambda: apologizing(self.listener),
        )

    async def _announce(self) -> None:
        port = self.listener.getsockname()[1]
        api = f"http://localhost:{port}"
        while not await until_ready(port):
            self.console.warn(f"Not ready yet. {api}/health/ready shows the reason.")
        addresses = {"API": api, "Documentation": f"{api}/docs", "Console": f"{api}/console"}
        addresses |= {each.title: each.address for each in self.provided}
        lines = [f"  {title:<16}{address}" for title, address in addresses.items()]
        self.console.say("\n".join(["Ready. Ctrl-C stops everything.", *lines, SUPERUSER]))

    async def _restart_on(
        self, changes: AsyncIterator[list[str]], group: asyncio.TaskGroup
    ) -> None:
        try:
            async for names in changes:
                self.console.say(f"Restarting because of {', '.join(names)}")
                for service in self.services.values():
                    service.changed.set()
                self._start_new_services(group)
        except (OSError, RuntimeError) as error:
            self.console.warn(f"Changes of the code cannot be watched: {error}")
