"""What tests write to Redis and delete, how they count commands, and a Redis that is silent."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self

from app.core.broker.client import QueueRedis
from app.core.config import Settings
from app.core.queue import QUEUES
from app.core.redis import open_client
from app.core.redis_connections.multiplexed import Command, MultiplexedConnection, Reply
from app.core.redis_connections.opening import open_blocking_client
from app.core.urls.redis import RedisAddress


class RedisDatabases:
    """The Redis databases that only this process of the tests uses."""

    def __init__(self, settings: Settings) -> None:
        self._queues = [open_client(queue, settings) for queue in QUEUES]
        self._attempts = open_blocking_client(RedisAddress.parse(settings.redis_url), settings)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for client in (*self._queues, self._attempts):
            client.close()

    def empty_queues(self) -> None:
        for client in self._queues:
            client.flushdb()

    def forget_attempts(self) -> None:
        self._attempts.flushdb()


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
