"""What tests write to Redis, how they count its commands, and a Redis that does not answer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.core.broker.client import QueueRedis
from app.core.redis_connections.multiplexed import Command, MultiplexedConnection, Reply


async def set_hash_field(redis: QueueRedis, key: str, field: str, value: object) -> None:
    async with redis.pipeline() as pipe:
        pipe.hset(key, field, str(value))
        await pipe.execute()


class CountingConnection(MultiplexedConnection):
    """A connection that records the commands of each round trip."""

    def __init__(self, redis: QueueRedis, round_trips: list[list[Command]]) -> None:
        super().__init__(redis.connection_pool)
        self._round_trips = round_trips

    async def execute(self, *commands: Command) -> list[Reply]:
        self._round_trips.append([*commands])
        return await super().execute(*commands)


@asynccontextmanager
async def counting_round_trips(*clients: QueueRedis) -> AsyncIterator[list[list[Command]]]:
    """Collect the commands of each round trip on the fast connections of these clients."""
    round_trips: list[list[Command]] = []
    originals = [client.multiplexed for client in clients]
    for client in clients:
        client.multiplexed = CountingConnection(client, round_trips)
    try:
        yield round_trips
    finally:
        for client, original in zip(clients, originals, strict=True):
            await client.multiplexed.aclose()
            client.multiplexed = original


@asynccontextmanager
async def broken_server(*, hangs: bool) -> AsyncIterator[tuple[str, list[asyncio.StreamWriter]]]:
    """Run a server that never answers, or closes each connection at once. List its connections."""
    connections: list[asyncio.StreamWriter] = []

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)
        if not hangs:
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}", connections
        for writer in connections:
            writer.close()
