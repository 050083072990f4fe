"""All code that depends on internals of redis-py, so that an upgrade has to check only this module.

Each part names its assumption, and tests/core/redis_connections/ fails if it no longer holds. Code
that depends on internals of arq is in app/core/worker/engine/arq_bridge.py.
"""

from asyncio import StreamWriter, WriteTransport
from typing import cast

import hiredis
import redis
from redis import sentinel as blocking_sentinel
from redis._parsers import BaseParser
from redis.asyncio import Connection as RedisConnection
from redis.asyncio import ConnectionPool, connection, sentinel
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import BusyLoadingError, InvalidResponse, ReadOnlyError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError

REMOTE_STATES = ("MASTERDOWN", "UNBLOCKED", "-READONLY", "-MASTERDOWN")
"""Prefixes of errors without a class in redis-py. A script of an old server quotes such errors."""


def left_primary(error: object) -> bool:
    """Return whether an error means that the server is not, or not yet, the primary."""
    if isinstance(error, (ReadOnlyError, BusyLoadingError)):
        return True
    return isinstance(error, ResponseError) and any(
        str(error).startswith(state) or f" {state}" in str(error) for state in REMOTE_STATES
    )


class LeavesFormerPrimary:
    """Closes a connection whose server no longer accepts writes. The next one may find the primary.

    Assumption: every reply of a command passes through `read_response`.
    """

    async def read_response(self, *args: object, **options: object) -> object:
        try:
            return await super().read_response(*args, **options)  # type: ignore[misc]
        except (ReadOnlyError, ResponseError) as error:
            if not left_primary(error):
                raise
            await self.disconnect(nowait=True)  # type: ignore[attr-defined]
            raise RedisConnectionError(f"Redis takes no writes: {error}") from error


class UncheckedHandshake:
    """Connects without a health check, which is redundant after a handshake and has retries.

    Assumption: `connect` is `connect_check_health` with retries.
    """

    async def connect(self) -> None:
        await self.retry.call_with_retry(  # type: ignore[attr-defined]
            lambda: self.connect_check_health(  # type: ignore[attr-defined]
                check_health=False, retry_socket_connect=False
            ),
            lambda error: self.disconnect(error=error),  # type: ignore[attr-defined]
        )


class Connection(LeavesFormerPrimary, UncheckedHandshake, connection.Connection):
    pass


class TlsConnection(LeavesFormerPrimary, UncheckedHandshake, connection.SSLConnection):
    pass


class UnixConnection(
    LeavesFormerPrimary, UncheckedHandshake, connection.UnixDomainSocketConnection
):
    pass


class SentinelConnection(LeavesFormerPrimary, sentinel.SentinelManagedConnection):
    pass


class SentinelTlsConnection(LeavesFormerPrimary, sentinel.SentinelManagedSSLConnection):
    pass


class BlockingLeavesFormerPrimary:
    """The same as `LeavesFormerPrimary`, for a thread without an event loop."""

    def read_response(self, *args: object, **options: object) -> object:
        try:
            return super().read_response(*args, **options)  # type: ignore[misc]
        except (ReadOnlyError, ResponseError) as error:
            if not left_primary(error):
                raise
            self.disconnect()  # type: ignore[attr-defined]
            raise RedisConnectionError(f"Redis takes no writes: {error}") from error


class BlockingConnection(BlockingLeavesFormerPrimary, redis.Connection):
    pass


class BlockingTlsConnection(BlockingLeavesFormerPrimary, redis.SSLConnection):
    pass


class BlockingUnixConnection(BlockingLeavesFormerPrimary, redis.UnixDomainSocketConnection):
    pass


class BlockingSentinelConnection(
    BlockingLeavesFormerPrimary, blocking_sentinel.SentinelManagedConnection
):
    pass


class BlockingSentinelTlsConnection(
    BlockingLeavesFormerPrimary, blocking_sentinel.SentinelManagedSSLConnection
):
    pass


class Connections(ConnectionPool):
    """Returns a connection without checking its socket before each command.

    If the server has closed the connection, the command is repeated on a new one.

    Assumption: `get_connection` is `get_available_connection`, `connect`, and the check.
    """

    async def get_connection(self, *_: object, **__: object) -> connection.AbstractConnection:
        found: connection.AbstractConnection = self.get_available_connection()  # type: ignore[no-untyped-call]
        try:
            await found.connect()  # type: ignore[no-untyped-call]
        except BaseException:
            await self.release(found)
            raise
        return found


class SentinelConnections(Connections, sentinel.SentinelConnectionPool):
    """Asks Sentinels for the primary before it connects.

    Assumption: `aclose` leaves the clients of the Sentinels open.
    """

    async def aclose(self) -> None:
        await super().aclose()
        for each in self.sentinel_manager.sentinels:
            await each.aclose()


async def open_connection(pool: ConnectionPool) -> RedisConnection:
    """Open a connection with the options of a pool, outside of the pool, in one attempt.

    The caller retries. Without this, redis-py would repeat each of these attempts.

    Assumption: a pool makes connections that it does not manage, and `connect` follows `retry`.

    Raises redis.exceptions.ConnectionError and redis.exceptions.TimeoutError.
    """
    opened: RedisConnection = pool.make_connection()  # type: ignore[no-untyped-call]
    opened.retry = Retry(NoBackoff(), 0)
    await opened.connect()  # type: ignore[no-untyped-call]
    return opened


def transport_of(opened: RedisConnection) -> WriteTransport:
    """Return the transport of a connection, so that another protocol can use it.

    Assumption: an open connection has a `_writer`, and nothing unread is in its reader.
    """
    return cast("StreamWriter", opened._writer).transport  # noqa: SLF001  there is no public access


def reply_reader() -> hiredis.Reader:
    """Return a parser that creates the exceptions of redis-py.

    Assumption: `BaseParser.parse_error` creates an exception from the text of an error.
    """
    return hiredis.Reader(protocolError=InvalidResponse, replyError=BaseParser.parse_error)


def retry_policy(pool: ConnectionPool) -> Retry:
    """Return the retry policy of a pool. Assumption: it is in `connection_kwargs`."""
    retry = pool.connection_kwargs["retry"]
    assert isinstance(retry, Retry)
    return retry


def socket_timeout(pool: ConnectionPool) -> float:
    """Return the timeout of a pool's sockets. Assumption: it is in `connection_kwargs`."""
    return float(pool.connection_kwargs["socket_timeout"])


def health_check_interval(pool: ConnectionPool) -> float:
    """Return the idle seconds after which a pool checks a connection before it uses it.

    Assumption: they are in `connection_kwargs`.
    """
    return float(pool.connection_kwargs["health_check_interval"])


def name_of_server(pool: ConnectionPool) -> str:
    """Return the name of a pool's server for messages to operators.

    Assumption: the host, the port, and the path of a socket are in `connection_kwargs`.
    """
    if isinstance(pool, SentinelConnections):
        return f"{pool.service_name} of the Sentinels"
    options = pool.connection_kwargs
    return str(options.get("path") or f"{options.get('host')}:{options.get('port', 6379)}")
