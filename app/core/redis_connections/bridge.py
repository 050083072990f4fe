"""Everything that depends on the internals of redis-py. An upgrade has to look nowhere else.

Each part names its assumption; tests/core/redis_connections/ fails when that changes. What depends
on the internals of arq is in app/core/worker/engine/arq_bridge.py.
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
"""How errors begin that redis-py has no class for, or how a script of an old server quotes them."""


def left_primary(error: object) -> bool:
    """Return whether the server that answered so is not, or not yet, the one that takes writes."""
    if isinstance(error, (ReadOnlyError, BusyLoadingError)):
        return True
    return isinstance(error, ResponseError) and any(
        str(error).startswith(state) or f" {state}" in str(error) for state in REMOTE_STATES
    )


class LeavesFormerPrimary:
    """Closes a connection whose server no longer takes writes: the next one may find another.

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
    """Connects without a health check, which says nothing new and has retries of its own.

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


class SentinelConnection(
    LeavesFormerPrimary, UncheckedHandshake, sentinel.SentinelManagedConnection
):
    pass


class SentinelTlsConnection(
    LeavesFormerPrimary, UncheckedHandshake, sentinel.SentinelManagedSSLConnection
):
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
    """Lends a connection without a look at its socket before every command.

    A command on a connection that the server has closed is tried again on a new one.

    Assumption: `get_connection` is `get_available_connection`, `connect`, and that look.
    """

    async def get_connection(self, *_: object, **__: object) -> connection.AbstractConnection:
        lent: connection.AbstractConnection = self.get_available_connection()  # type: ignore[no-untyped-call]
        try:
            await lent.connect()  # type: ignore[no-untyped-call]
        except BaseException:
            await self.release(lent)
            raise
        return lent


class SentinelConnections(Connections, sentinel.SentinelConnectionPool):
    """Asks Sentinels for the primary before it connects.

    Assumption: `aclose` leaves the clients of the Sentinels open.
    """

    async def aclose(self) -> None:
        await super().aclose()
        for each in self.sentinel_manager.sentinels:
            await each.aclose()


async def open_connection(pool: ConnectionPool) -> RedisConnection:
    """Connect once, as the pool does, which knows sockets, TLS, passwords, databases, and Sentinel.

    The caller has retries of its own. Those of redis-py would come on top of each of them.

    Assumption: a pool makes connections that it does not manage, and `connect` follows `retry`.

    Raises redis.exceptions.ConnectionError and redis.exceptions.TimeoutError.
    """
    opened: RedisConnection = pool.make_connection()  # type: ignore[no-untyped-call]
    opened.retry = Retry(NoBackoff(), 0)
    await opened.connect()  # type: ignore[no-untyped-call]
    return opened


def transport_of(opened: RedisConnection) -> WriteTransport:
    """Return the socket of a connection, so that another protocol can take it over.

    Assumption: an open connection has a `_writer`, and nothing unread is in its reader.
    """
    return cast("StreamWriter", opened._writer).transport  # noqa: SLF001  shown nowhere else


def reply_reader() -> hiredis.Reader:
    """Return a parser whose errors are those that redis-py raises.

    Assumption: `BaseParser.parse_error` turns the text of an error into an exception.
    """
    return hiredis.Reader(protocolError=InvalidResponse, replyError=BaseParser.parse_error)


def retry_policy(pool: ConnectionPool) -> Retry:
    """Return how often a pool repeats a command. Assumption: it is among `connection_kwargs`."""
    retry = pool.connection_kwargs["retry"]
    assert isinstance(retry, Retry)
    return retry


def socket_timeout(pool: ConnectionPool) -> float:
    """Return for how many seconds a pool waits. Assumption: it is among `connection_kwargs`."""
    return float(pool.connection_kwargs["socket_timeout"])


def name_of_server(pool: ConnectionPool) -> str:
    """Return where a pool's connections lead, as messages to operators name it.

    Assumption: the host, the port, and the path of a socket are among `connection_kwargs`.
    """
    if isinstance(pool, SentinelConnections):
        return f"{pool.service_name} of the Sentinels"
    options = pool.connection_kwargs
    return str(options.get("path") or f"{options.get('host')}:{options.get('port', 6379)}")
