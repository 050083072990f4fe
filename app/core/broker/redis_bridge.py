"""Everything that depends on the internals of redis-py. An upgrade has to look nowhere else.

Each function names what it takes for granted; tests/core/broker/test_redis_bridge.py fails when
that changes. What depends on arq is in app/core/worker/engine/arq_bridge.py.
"""

from asyncio import StreamWriter, WriteTransport
from typing import cast

import hiredis
from redis._parsers import BaseParser
from redis.asyncio import Connection, ConnectionPool
from redis.asyncio.retry import Retry
from redis.exceptions import InvalidResponse


async def open_connection(pool: ConnectionPool) -> Connection:
    """Connect as the pool does, which knows sockets, TLS, passwords, databases, and Sentinel.

    Assumption: a pool makes connections that it does not manage.

    Raises redis.exceptions.ConnectionError and redis.exceptions.TimeoutError.
    """
    connection: Connection = pool.make_connection()  # type: ignore[no-untyped-call]
    await connection.connect()  # type: ignore[no-untyped-call]
    return connection


def transport_of(connection: Connection) -> WriteTransport:
    """Return the socket of a connection, so that another protocol can take it over.

    Assumption: an open connection has a `_writer`, and nothing unread is in its reader.
    """
    return cast("StreamWriter", connection._writer).transport  # noqa: SLF001  shown nowhere else


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
