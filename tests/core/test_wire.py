import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from app.core.config import Settings
from app.core.queue import BASE
from app.core.redis import open_client, open_pool
from app.core.wire import Wire
from tests.ports import CLOSED_PORT


@pytest.fixture
async def wire(settings: Settings) -> AsyncIterator[Wire]:
    pool = open_pool(BASE, settings)
    yield pool.wire
    await pool.aclose(close_connection_pool=True)


async def own_id(wire: Wire) -> int:
    [number] = await wire.execute(("CLIENT", "ID"))
    return int(number)


async def test_many_who_ask_at_once_share_a_connection_and_get_their_own_replies(
    wire: Wire,
) -> None:
    replies = await asyncio.gather(*(wire.execute(("ECHO", n), ("CLIENT", "ID")) for n in range(9)))

    assert [text for text, _ in replies] == [str(n).encode() for n in range(9)]
    assert len({number for _, number in replies}) == 1


async def test_an_error_of_one_command_is_its_reply_and_the_others_have_theirs(wire: Wire) -> None:
    first, refused, last = await wire.execute(("ECHO", 1), ("NONSENSE",), ("ECHO", 2))

    assert (first, last) == (b"1", b"2")
    assert isinstance(refused, ResponseError)


async def test_the_reply_to_somebody_who_went_away_is_nobody_elses(wire: Wire) -> None:
    await wire.execute(("PING",))
    gone = asyncio.create_task(wire.execute(("BLPOP", "wire:nothing", 0.05)))
    await asyncio.sleep(0)
    gone.cancel()

    assert await wire.execute(("ECHO", "mine")) == [b"mine"]


async def test_a_connection_that_the_server_has_closed_costs_no_command(
    wire: Wire, settings: Settings
) -> None:
    before = await own_id(wire)
    with open_client(BASE, settings) as other:
        other.client_kill_filter(_id=str(before))

    assert await own_id(wire) > before


async def test_a_command_during_which_the_connection_breaks_is_tried_again(
    wire: Wire, settings: Settings
) -> None:
    number = await own_id(wire)
    waiting = asyncio.create_task(wire.execute(("BLPOP", "wire:list", 1)))
    await asyncio.sleep(0)
    with open_client(BASE, settings) as other:
        other.client_kill_filter(_id=str(number))
        other.rpush("wire:list", "found")

    assert await waiting == [[b"wire:list", b"found"]]


async def test_a_server_that_does_not_answer_is_given_up_and_connected_to_anew(
    settings: Settings,
) -> None:
    pool = open_pool(BASE, settings.model_copy(update={"redis_timeout": 0.2}))
    before = await own_id(pool.wire)

    with pytest.raises(RedisTimeoutError, match=r"Redis did not answer within 0\.2 s"):
        await pool.wire.execute(("INCR", "wire:tries"), ("BLPOP", "wire:nothing", 1))

    assert await own_id(pool.wire) > before
    assert await pool.wire.execute(("GETDEL", "wire:tries")) == [b"1"]
    await pool.aclose(close_connection_pool=True)


async def test_a_server_that_is_away_is_an_error_of_the_connection(settings: Settings) -> None:
    away = settings.model_copy(
        update={"queue_redis_urls": {"base": f"redis://127.0.0.1:{CLOSED_PORT}"}}
    )
    pool = open_pool(BASE, away)

    with pytest.raises(RedisConnectionError):
        await pool.wire.execute(("PING",))
    await pool.aclose(close_connection_pool=True)
