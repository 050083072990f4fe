"""Count the commands that a Redis receives."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from redis.asyncio import Redis

OWN = "benchmark:"
"""The prefix of keys of the measured jobs themselves, which are not counted."""

END = f"ECHO {OWN}end"


@dataclass
class Traffic:
    """The number of commands from clients, and the number including calls of scripts."""

    sent: float = 0
    in_all: float = 0

    def per(self, number: float) -> "Traffic":
        return Traffic(self.sent / number, self.in_all / number)


@asynccontextmanager
async def watching(redis: Redis) -> AsyncIterator[Traffic]:
    """Count the commands of other clients to a database until the block ends, with MONITOR."""
    traffic = Traffic()
    own = (await redis.client_info())["addr"]
    database = redis.connection_pool.connection_kwargs["db"]

    async def count() -> None:
        async with redis.monitor() as monitor:
            watched.set()
            async for seen in monitor.listen():
                if seen["command"] == END:
                    break
                client = f"{seen['client_address']}:{seen['client_port']}"
                if seen["db"] != database or client == own or OWN in seen["command"]:
                    continue
                traffic.in_all += 1
                traffic.sent += seen["client_type"] != "lua"

    watched = asyncio.Event()
    counting = asyncio.create_task(count())
    await watched.wait()
    try:
        yield traffic
    finally:
        await redis.echo(f"{OWN}end")
        await counting
