"""One connection to Redis on which many commands are under way at once.

redis-py lends each command a connection of its own and reads the reply through a stream under a
time-out: a round trip costs two to three times the processor time that it costs here.
"""

import asyncio
from asyncio import StreamWriter
from collections import deque
from collections.abc import Sequence
from typing import Any, Self, cast

import hiredis
from redis._parsers import BaseParser
from redis.asyncio import Connection, ConnectionPool
from redis.asyncio.retry import Retry
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import InvalidResponse, RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

Argument = str | bytes | int | float

Command = Sequence[Argument]

Reply = Any
"""What a command returns is known by whoever sent it; a server's error is a reply, too."""


class Wire:
    """Sends commands as the connections of a pool do: same server, time-outs and retries."""

    def __init__(self, pool: ConnectionPool) -> None:
        self._pool = pool
        self._retry: Retry = pool.connection_kwargs["retry"]
        self._connecting = asyncio.Lock()
        self._replies: Replies | None = None

    async def execute(self, *commands: Command) -> list[Reply]:
        """Send commands in one packet and return what each is answered, errors among it.

        Raises redis.exceptions.ConnectionError and redis.exceptions.TimeoutError: then nobody
        knows which commands were carried out. They may have been so twice, as redis-py's may.
        """
        # hiredis's annotation is that of a command of one word.
        packed = b"".join(hiredis.pack_command((*each,)) for each in commands)  # type: ignore[arg-type]

        async def once() -> list[Reply]:
            replies = self._replies
            if replies is None or replies.lost:
                replies = await self._connect()
            return await replies.to(packed, len(commands))

        return cast("list[Reply]", await self._retry.call_with_retry(once, self._judge))

    async def aclose(self) -> None:
        """Disconnect. A later command connects again."""
        if self._replies is not None:
            replies, self._replies = self._replies, None
            await replies.aclose()

    async def _connect(self) -> "Replies":
        async with self._connecting:
            if self._replies is None or self._replies.lost:
                await self.aclose()
                self._replies = await Replies.over(self._pool)
            return self._replies

    @staticmethod
    async def _judge(error: RedisError) -> None:
        """Let a lost connection be tried again, and no server that does not answer."""
        if isinstance(error, RedisTimeoutError):
            raise error


class Replies(asyncio.Protocol):
    """What comes in on one connection, in the order in which the commands went out."""

    def __init__(self, connection: Connection, timeout: float) -> None:
        self._connection, self._timeout = connection, timeout
        # redis-py shows it nowhere; tests/core/test_wire.py tells when that changes.
        self._transport = cast("StreamWriter", connection._writer).transport  # noqa: SLF001
        self._transport.set_protocol(self)
        self.lost = self._transport.is_closing()
        self._loop = asyncio.get_running_loop()
        self._reader = hiredis.Reader(
            protocolError=InvalidResponse, replyError=BaseParser.parse_error
        )
        self._arrived: list[Reply] = []
        self._awaited: deque[tuple[int, asyncio.Future[list[Reply]]]] = deque()

    @classmethod
    async def over(cls, pool: ConnectionPool) -> Self:
        """Let redis-py connect, which knows sockets, TLS, passwords and databases; then take over.

        Raises redis.exceptions.ConnectionError and redis.exceptions.TimeoutError.
        """
        connection = pool.make_connection()  # type: ignore[no-untyped-call]
        await connection.connect()
        return cls(connection, pool.connection_kwargs["socket_timeout"])

    async def to(self, packed: bytes, count: int) -> list[Reply]:
        """Send commands and wait for the replies to all of them."""
        if self.lost:
            raise RedisConnectionError("Redis closed the connection at once.")
        replies: asyncio.Future[list[Reply]] = self._loop.create_future()
        self._awaited.append((count, replies))
        self._transport.write(packed)
        late = self._loop.call_later(self._timeout, self._give_up)
        try:
            return await replies
        finally:
            late.cancel()

    async def aclose(self) -> None:
        self._fail(RedisConnectionError("Redis was disconnected."))
        await self._connection.disconnect(nowait=True)

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        while (reply := self._reader.gets()) is not False:
            self._arrived.append(reply)
            count, replies = self._awaited[0]
            if len(self._arrived) == count:
                self._awaited.popleft()
                if not replies.done():
                    replies.set_result(self._arrived)
                self._arrived = []

    def connection_lost(self, error: Exception | None) -> None:
        self._fail(RedisConnectionError(f"Redis closed the connection: {error or 'end of file'}."))

    def _give_up(self) -> None:
        self._fail(RedisTimeoutError(f"Redis did not answer within {self._timeout} s."))

    def _fail(self, error: RedisError) -> None:
        """End the connection: nobody knows which reply would come next."""
        self.lost = True
        self._transport.close()
        for _, replies in self._awaited:
            if not replies.done():
                replies.set_exception(error)
        self._awaited.clear()
