"""A connection to Redis that multiplexes commands: many are in flight at once.

redis-py uses one connection per command, and reads each reply through a stream with a timeout.
That takes two to three times as much CPU time per round trip.
"""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from typing import Any, cast

import hiredis
from redis.asyncio import Connection, ConnectionPool
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from app.core.redis_connections.bridge import (
    health_check_interval,
    left_primary,
    open_connection,
    reply_reader,
    retry_policy,
    socket_timeout,
    transport_of,
)
from app.core.redis_connections.cancellation import cancel_all, raise_if_cancelled

Argument = str | bytes | int | float

Command = Sequence[Argument]

Reply = Any
"""The caller knows the type of a reply. An error of the server is a reply, too."""


class MultiplexedConnection:
    """Sends commands with the server, timeouts, and retries of a pool."""

    def __init__(self, pool: ConnectionPool) -> None:
        self._pool = pool
        self._retry = retry_policy(pool)
        self._stream: PipelinedStream | None = None
        self._opening: asyncio.Task[PipelinedStream] | None = None

    async def execute(self, *commands: Command) -> list[Reply]:
        """Send commands in one packet, and return their replies, including errors.

        Raises redis.exceptions.ConnectionError and redis.exceptions.TimeoutError, after which some
        commands may have been executed. A retry may execute commands twice, as in redis-py.
        """
        # hiredis's annotation allows only commands of one word.
        packed = b"".join(hiredis.pack_command((*each,)) for each in commands)  # type: ignore[arg-type]

        async def once() -> list[Reply]:
            stream = self._stream
            if stream is None or stream.lost or stream.is_stale:
                stream = await self._open_once()
            return await stream.send(packed, len(commands))

        return cast("list[Reply]", await self._retry.call_with_retry(once, self._raise_timeouts))

    async def execute_all(self, *commands: Command) -> list[Reply]:
        """Do the same as `execute`, but raise the first error: a redis.exceptions.RedisError."""
        replies = await self.execute(*commands)
        for reply in replies:
            if isinstance(reply, RedisError):
                raise reply
        return replies

    async def execute_one(self, *command: Argument) -> Reply:
        """Send a command, and return its reply. Raises redis.exceptions.RedisError for an error."""
        [reply] = await self.execute_all(command)
        return reply

    async def aclose(self) -> None:
        """Disconnect. The next command connects again."""
        if (opening := self._opening) is not None:
            await cancel_all(lambda: [opening])
        await self._close_stream()

    async def _open_once(self) -> "PipelinedStream":
        """Open a stream, or wait for the one that another command is opening.

        If commands connected one after another, the last of many would wait for all the timeouts
        of a server that does not answer.
        """
        if self._opening is None:
            self._opening = asyncio.create_task(self._open())
            self._opening.add_done_callback(self._opened)
        try:
            return await asyncio.shield(self._opening)
        except asyncio.CancelledError:
            raise_if_cancelled()
            raise RedisConnectionError("Redis was disconnected.") from None

    async def _open(self) -> "PipelinedStream":
        await self._close_stream()
        connection = await open_connection(self._pool)
        self._stream = PipelinedStream(
            connection, socket_timeout(self._pool), health_check_interval(self._pool)
        )
        return self._stream

    def _opened(self, opening: asyncio.Task["PipelinedStream"]) -> None:
        self._opening = None
        if not opening.cancelled():
            opening.exception()  # every command that waits may have been canceled

    async def _close_stream(self) -> None:
        if self._stream is not None:
            stream, self._stream = self._stream, None
            await stream.aclose()

    @staticmethod
    async def _raise_timeouts(error: Exception) -> None:
        """Prevent retries after a timeout. Only a lost connection is retried."""
        if isinstance(error, RedisTimeoutError):
            raise error


class PipelinedStream(asyncio.Protocol):
    """Matches the replies on a connection with the commands in the order of sending.

    A timeout closes the connection, because later replies could belong to other commands. A
    connection that was idle for `max_idle` seconds is stale and must be replaced.
    """

    def __init__(self, connection: Connection, timeout: float, max_idle: float) -> None:
        self._connection, self._timeout, self._max_idle = connection, timeout, max_idle
        self._used_at = time.monotonic()
        self._transport = transport_of(connection)
        self._transport.set_protocol(self)
        self.lost = self._transport.is_closing()
        self._loop = asyncio.get_running_loop()
        self._reader = reply_reader()
        self._arrived: list[Reply] = []
        self._awaited: deque[tuple[int, asyncio.Future[list[Reply]]]] = deque()

    @property
    def is_stale(self) -> bool:
        """Return whether a router may have forgotten the connection."""
        return not self._awaited and time.monotonic() - self._used_at > self._max_idle

    async def send(self, packed: bytes, count: int) -> list[Reply]:
        """Send commands, and wait for all of their replies."""
        if self.lost:
            raise RedisConnectionError("Redis closed the connection at once.")
        self._used_at = time.monotonic()
        replies: asyncio.Future[list[Reply]] = self._loop.create_future()
        self._awaited.append((count, replies))
        self._transport.write(packed)
        timer = self._loop.call_later(self._timeout, self._time_out)
        try:
            return await replies
        finally:
            timer.cancel()

    async def aclose(self) -> None:
        self._fail(RedisConnectionError("Redis was disconnected."))
        await self._connection.disconnect(nowait=True)

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        while (reply := self._reader.gets()) is not False:
            if isinstance(reply, hiredis.PushNotification):
                continue  # the server announces something, such as its maintenance
            if left_primary(reply):
                self._fail(RedisConnectionError(f"Redis takes no writes: {reply}"))
                return
            self._arrived.append(reply)
            count, replies = self._awaited[0]
            if len(self._arrived) == count:
                self._awaited.popleft()
                if not replies.done():
                    replies.set_result(self._arrived)
                self._arrived = []

    def connection_lost(self, error: Exception | None) -> None:
        self._fail(RedisConnectionError(f"Redis closed the connection: {error or 'end of file'}."))

    def _time_out(self) -> None:
        self._fail(RedisTimeoutError(f"Redis did not answer within {self._timeout} s."))

    def _fail(self, error: RedisError) -> None:
        self.lost = True
        self._transport.close()
        for _, replies in self._awaited:
            if not replies.done():
                replies.set_exception(error)
        self._awaited.clear()
