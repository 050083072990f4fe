"""The assumptions of our connection about redis-py. An upgrade that breaks them fails here."""

import pytest
from redis.asyncio import ConnectionPool
from redis.exceptions import NoScriptError, ResponseError

from app.core.broker.client import QueueRedis
from app.core.config import Settings
from app.core.queue import BASE, QueuePools
from app.core.redis_connections.bridge import (
    health_check_interval,
    open_connection,
    reply_reader,
    retry_policy,
    socket_timeout,
    transport_of,
)
from app.core.redis_connections.opening import HEALTH_CHECK_INTERVAL


@pytest.fixture
def pool(queues: QueuePools) -> ConnectionPool:
    return queues[BASE].connection_pool


async def test_the_transport_of_an_open_connection_leads_to_the_server(
    pool: ConnectionPool,
) -> None:
    connection = await open_connection(pool)

    assert transport_of(connection).get_extra_info("peername")[1] == pool.connection_kwargs["port"]
    await connection.disconnect(nowait=True)


async def test_a_pool_tells_how_long_it_waits_and_how_often_it_retries(
    pool: ConnectionPool, settings: Settings
) -> None:
    assert socket_timeout(pool) == settings.redis_timeout
    assert retry_policy(pool) is pool.connection_kwargs["retry"]
    assert health_check_interval(pool) == HEALTH_CHECK_INTERVAL


@pytest.mark.parametrize(
    ("line", "kind"),
    [(b"-NOSCRIPT No matching script.\r\n", NoScriptError), (b"-ERR no\r\n", ResponseError)],
)
def test_an_error_of_the_server_becomes_an_exception_of_redis_py(
    line: bytes, kind: type[Exception]
) -> None:
    reader = reply_reader()
    reader.feed(line)

    assert type(reader.gets()) is kind


async def test_a_connection_that_the_server_has_closed_is_replaced_without_an_error(
    queues: QueuePools,
) -> None:
    redis: QueueRedis = queues[BASE]
    number = await redis.client_id()
    await redis.client_kill_filter(_id=str(number), skipme=False)

    assert await redis.client_id() > number
