import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from app.core.config import Settings
from app.core.queue import BASE
from app.core.redis import open_client, open_pool
from app.core.redis_connections.multiplexed import MultiplexedConnection
from tests.support.ports import CLOSED_PORT
from tests.support.redis import broken_server
from tests.support.waiting import wait_until


@pytest.fixture
async def connection(settings: Settings) -> AsyncIterator[MultiplexedConnection]:
    pool = open_pool(BASE, settings)
    yield pool.multiplexed
    await pool.aclose(close_connection_pool=True)


def at(settings: Settings, url: str) -> Settings:
    """Return settings with another server for this queue, which gets little time to answer."""
    return settings.model_copy(update={"queue_redis_urls": {"base": url}, "redis_timeout": 0.2})


async def own_id(connection: MultiplexedConnection) -> int:
    [number] = await connection.execute(("CLIENT", "ID"))
    return int(number)


async def test_concurrent_callers_share_a_connection_and_get_their_own_replies(
    connection: MultiplexedConnection,
) -> None:
    replies = await asyncio.gather(
        *(connection.execute(("ECHO", n), ("CLIENT", "ID")) for n in range(9))
    )

    assert [text for text, _ in replies] == [str(n).encode() for n in range(9)]
    assert len({number for _, number in replies}) == 1


async def test_the_error_of_one_command_does_not_affect_the_others(
    connection: MultiplexedConnection,
) -> None:
    first, refused, last = await connection.execute(("ECHO", 1), ("NONSENSE",), ("ECHO", 2))

    assert (first, last) == (b"1", b"2")
    assert isinstance(refused, ResponseError)


async def test_an_announcement_of_the_server_is_no_reply(
    connection: MultiplexedConnection, settings: Settings
) -> None:
    await connection.execute(("CLIENT", "TRACKING", "ON"), ("GET", "test:watched"))
    waiting = asyncio.create_task(connection.execute(("ECHO", 1), ("BLPOP", "test:list", 1)))
    await asyncio.sleep(0)
    with open_client(BASE, settings) as other:
        other.set("test:watched", "changed")  # the server announces this to the connection
        other.rpush("test:list", "found")

    assert await waiting == [b"1", [b"test:list", b"found"]]
    assert await connection.execute(("ECHO", 2)) == [b"2"]


async def test_an_error_of_a_single_command_is_raised(connection: MultiplexedConnection) -> None:
    with pytest.raises(ResponseError, match="unknown command"):
        await connection.execute_one("NONSENSE")


async def test_the_reply_to_a_canceled_caller_reaches_no_other_caller(
    connection: MultiplexedConnection,
) -> None:
    await connection.execute(("PING",))
    gone = asyncio.create_task(connection.execute(("BLPOP", "test:nothing", 0.05)))
    await asyncio.sleep(0)
    gone.cancel()

    assert await connection.execute(("ECHO", "mine")) == [b"mine"]


async def test_no_command_fails_because_the_server_has_closed_the_connection(
    connection: MultiplexedConnection, settings: Settings
) -> None:
    before = await own_id(connection)
    with open_client(BASE, settings) as other:
        other.client_kill_filter(_id=str(before))

    assert await own_id(connection) > before


async def test_a_connection_that_was_idle_is_replaced_before_a_command_uses_it(
    connection: MultiplexedConnection, settings: Settings
) -> None:
    """Without a reset, a router forgets idle connections, and a command on one would time out."""
    pool = open_pool(BASE, settings)
    pool.connection_pool.connection_kwargs["health_check_interval"] = 0
    number = await own_id(pool.multiplexed)

    assert await own_id(pool.multiplexed) > number
    number = await own_id(connection)
    assert await own_id(connection) == number
    await pool.aclose(close_connection_pool=True)


async def test_a_command_is_retried_when_the_connection_breaks(
    connection: MultiplexedConnection, settings: Settings
) -> None:
    number = await own_id(connection)
    waiting = asyncio.create_task(connection.execute(("BLPOP", "test:list", 1)))
    await asyncio.sleep(0)
    with open_client(BASE, settings) as other:
        other.client_kill_filter(_id=str(number))
        other.rpush("test:list", "found")

    assert await waiting == [[b"test:list", b"found"]]


async def test_a_timeout_ends_the_connection_and_the_next_command_opens_a_new_one(
    settings: Settings,
) -> None:
    pool = open_pool(BASE, settings.model_copy(update={"redis_timeout": 0.2}))
    before = await own_id(pool.multiplexed)

    with pytest.raises(RedisTimeoutError, match=r"Redis did not answer within 0\.2 s"):
        await pool.multiplexed.execute(("INCR", "test:tries"), ("BLPOP", "test:nothing", 1))

    assert await own_id(pool.multiplexed) > before
    assert await pool.multiplexed.execute(("GETDEL", "test:tries")) == [b"1"]
    await pool.aclose(close_connection_pool=True)


async def test_a_command_connects_once_for_each_of_its_tries(settings: Settings) -> None:
    async with broken_server(hangs=False) as (url, connections):
        pool = open_pool(BASE, at(settings, url), retries=2)

        with pytest.raises(RedisConnectionError):
            await pool.multiplexed.execute(("PING",))

    assert len(connections) == 3
    await pool.aclose(close_connection_pool=True)


async def test_simultaneous_commands_wait_only_once_for_a_server_that_does_not_answer(
    settings: Settings,
) -> None:
    async with broken_server(hangs=True) as (url, connections):
        pool = open_pool(BASE, at(settings, url))

        commands = (pool.multiplexed.execute(("ECHO", n)) for n in range(20))
        failures = await asyncio.gather(*commands, return_exceptions=True)

    assert all(isinstance(failure, RedisTimeoutError) for failure in failures)
    assert len(connections) == 1
    await pool.aclose(close_connection_pool=True)


async def test_a_server_that_is_down_raises_a_connection_error(settings: Settings) -> None:
    pool = open_pool(BASE, at(settings, f"redis://127.0.0.1:{CLOSED_PORT}"))

    with pytest.raises(RedisConnectionError):
        await pool.multiplexed.execute(("PING",))
    await pool.aclose(close_connection_pool=True)


async def test_a_command_that_waits_for_a_connection_fails_when_the_connection_is_closed(
    settings: Settings,
) -> None:
    async with broken_server(hangs=True) as (url, connections):
        patient = at(settings, url).model_copy(update={"redis_timeout": 300})
        pool = open_pool(BASE, patient, retries=0)
        waiting = asyncio.create_task(pool.multiplexed.execute(("PING",)))

        async def is_connecting() -> bool:
            return bool(connections)

        await wait_until(is_connecting)
        await pool.aclose(close_connection_pool=True)

        with pytest.raises(RedisConnectionError, match="Redis was disconnected"):
            await waiting
