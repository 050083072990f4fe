"""Receives the events of one queue: Redis publishes the ids of jobs whose state has changed."""

import asyncio
from collections.abc import Callable, Sequence

import hiredis
import structlog
from redis.exceptions import ConnectionError as RedisConnectionError

from app.core.broker.client import QueueRedis
from app.core.redis_connections.bridge import open_connection, reply_reader, transport_of
from app.core.redis_connections.cancellation import raise_if_cancelled

log = structlog.stdlib.get_logger("app.events")

PAUSE = 1.0
"""Seconds between two tries to subscribe."""

SILENCE = 10.0
"""Seconds without data after which a PING is sent, and again as many until Redis counts as gone."""

Ids = Sequence[bytes]


class Subscription:
    """Subscribes to the events of a queue, again after every failure, until it is canceled.

    `on_jobs` gets the ids of jobs. `on_start` is called after each subscription, because events
    may have been lost before.
    """

    def __init__(
        self, redis: QueueRedis, *, on_jobs: Callable[[Ids], None], on_start: Callable[[], None]
    ) -> None:
        self.is_live = False
        self._redis = redis
        self._on_jobs = on_jobs
        self._on_start = on_start

    async def run(self) -> None:
        is_known = False
        while True:
            try:
                await self._listen()
            except Exception as error:  # noqa: BLE001  without events, the hub polls
                raise_if_cancelled()
                if self.is_live or not is_known:
                    channel = self._redis.queue_keys.events
                    log.warning("events.lost", channel=channel, error=str(error))
                self.is_live, is_known = False, True
            await asyncio.sleep(PAUSE)

    async def _listen(self) -> None:
        connection = await open_connection(self._redis.connection_pool)
        listener = Listener(self._on_jobs, self._start)
        try:
            raise_if_cancelled()
            listener.attach_to(transport_of(connection))
            listener.send("SUBSCRIBE", self._redis.queue_keys.events)
            await listener.listen()
        finally:
            await connection.disconnect(nowait=True)

    def _start(self) -> None:
        self.is_live = True
        self._on_start()


class Listener(asyncio.Protocol):
    """Reads what Redis sends on a subscribed connection."""

    def __init__(self, on_jobs: Callable[[Ids], None], on_start: Callable[[], None]) -> None:
        self._on_jobs = on_jobs
        self._on_start = on_start
        self._reader = reply_reader()
        self._received = False
        self._lost: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()

    def attach_to(self, transport: asyncio.WriteTransport) -> None:
        self._transport = transport
        transport.set_protocol(self)

    def send(self, *command: str) -> None:
        # The annotation of hiredis allows only a command of one word.
        self._transport.write(hiredis.pack_command(command))  # type: ignore[arg-type]

    async def listen(self) -> None:
        """Listen until the connection ends. Raises redis.exceptions.RedisError."""
        while True:
            if not await self._receives():
                self.send("PING")
                if not await self._receives():
                    raise RedisConnectionError("Redis does not answer.")

    async def _receives(self) -> bool:
        """Return whether data arrives within SILENCE. Raise the error that ends the connection."""
        self._received = False
        await asyncio.wait([self._lost], timeout=SILENCE)
        if self._lost.done():
            raise self._lost.result()
        return self._received

    def data_received(self, data: bytes) -> None:
        self._received = True
        self._reader.feed(data)
        while (reply := self._reader.gets()) is not False:
            match reply:
                case Exception():
                    self._fail(reply)
                case [b"subscribe", *_]:
                    self._on_start()
                case [b"message", _, bytes(ids)]:
                    self._on_jobs(ids.split(b" "))

    def connection_lost(self, error: Exception | None) -> None:
        self._fail(RedisConnectionError(f"Redis closed the connection: {error or 'end of file'}."))

    def _fail(self, error: Exception) -> None:
        if not self._lost.done():
            self._lost.set_result(error)
