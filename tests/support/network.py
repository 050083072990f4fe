"""A network between a client and a server, which can lose data."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress

from sqlalchemy import make_url

from app.core.config import Settings
from app.core.database import Database, open_database


class Network:
    """A network that forwards data until it forgets its connections, as a router does.

    Forgotten connections stay open and carry no data. New connections work.
    """

    def __init__(self, host: str, port: int) -> None:
        self._target = host, port
        self._passing: set[asyncio.Event] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def lead_to(self, host: str, port: int) -> None:
        """Forward new connections to another server. Existing connections stay."""
        self._target = host, port

    def forget_connections(self) -> None:
        for passing in self._passing:
            passing.clear()

    async def meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(*self._target)
        passing = asyncio.Event()
        passing.set()
        self._passing.add(passing)
        tasks = [
            asyncio.create_task(self._pass_on(reader, back, passing)),
            asyncio.create_task(self._pass_on(there, writer, passing)),
        ]
        self._tasks.update(tasks)

    async def _pass_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, passing: asyncio.Event
    ) -> None:
        with closing(writer), suppress(OSError):
            while data := await reader.read(65_536):
                await passing.wait()
                writer.write(data)
            await passing.wait()

    async def aclose(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@asynccontextmanager
async def network_to(
    host: str, port: int, *, entrance: int = 0
) -> AsyncIterator[tuple[Network, int]]:
    """Open a network to a server, and yield its port."""
    network = Network(host, port)
    server = await asyncio.start_server(network.meet, "127.0.0.1", entrance)
    try:
        yield network, server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await network.aclose()


@asynccontextmanager
async def database_behind_network(
    settings: Settings, **changes: object
) -> AsyncIterator[tuple[Database, Network]]:
    """Open the database through a network, with changed settings."""
    url = make_url(settings.database_url)
    async with network_to(url.host or "", url.port or 0) as (network, port):
        behind = url.set(port=port).render_as_string(hide_password=False)
        changed = settings.model_copy(update={"database_url": behind, **changes})
        async with open_database(changed) as database:
            yield database, network
