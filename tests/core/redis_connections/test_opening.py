import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ReadOnlyError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from app.core.broker.client import QueueRedis
from app.core.config import Settings
from app.core.queue import BASE, QueuePools
from app.core.redis import open_client, open_pool
from app.core.redis_connections.bridge import left_primary
from app.core.urls.redis import RedisAddress
from dev.valkey import valkey
from tests.support.network import Network, network_to
from tests.support.redis import broken_server


@dataclass
class Pair:
    """Two servers. `settings` lead to one of them through a network."""

    first: RedisAddress
    second: RedisAddress
    network: Network
    settings: Settings

    async def demote_first(self) -> None:
        """Make the first server a replica. New connections reach the second server."""
        password, [(host, port)] = self.second.password or "", self.second.hosts
        client = open_pool(BASE, self._direct(self.first))
        await client.config_set("masterauth", password)
        await client.replicaof(host, port)
        await client.aclose(close_connection_pool=True)
        # As a primary, the second server would wait for its replica before it ends.
        primary = open_pool(BASE, self._direct(self.second))
        await primary.config_set("shutdown-timeout", 0)
        await primary.aclose(close_connection_pool=True)
        self.network.lead_to(host, port)

    def _direct(self, address: RedisAddress) -> Settings:
        return self.settings.model_copy(update={"queue_redis_urls": {"base": address.url}})


@pytest.fixture
async def pair(tmp_path: Path, settings: Settings) -> AsyncIterator[Pair]:
    (tmp_path / "second").mkdir(mode=0o700)
    with valkey(tmp_path / "first", durable=False) as url:
        first = RedisAddress.parse(url)
        (tmp_path / "second" / "password").write_text(first.password or "")
        with valkey(tmp_path / "second", durable=False) as other:
            [(host, port)] = first.hosts
            async with network_to(host, port) as (network, entrance):
                behind = f"redis://:{first.password}@127.0.0.1:{entrance}/0"
                changed = settings.model_copy(update={"queue_redis_urls": {"base": behind}})
                yield Pair(first, RedisAddress.parse(other), network, changed)


@asynccontextmanager
async def used_pool(pair: Pair) -> AsyncIterator[QueueRedis]:
    pool = open_pool(BASE, pair.settings)
    await pool.set("before", 1)
    await pool.multiplexed.execute(("SET", "before", 1))
    yield pool
    await pool.aclose(close_connection_pool=True)


async def test_a_command_finds_the_new_primary(pair: Pair) -> None:
    async with used_pool(pair) as pool:
        await pair.demote_first()

        await pool.set("after", 1)

        assert await pool.get("after") == b"1"


async def test_commands_on_the_shared_connection_find_the_new_primary(pair: Pair) -> None:
    async with used_pool(pair) as pool:
        await pair.demote_first()

        assert await pool.multiplexed.execute(("SET", "after", 1), ("GET", "after")) == [
            b"OK",
            b"1",
        ]


async def test_a_transaction_finds_the_new_primary(pair: Pair) -> None:
    async with used_pool(pair) as pool:
        await pair.demote_first()

        async with pool.pipeline(transaction=True) as pipe:
            pipe.set("after", 1)
            try:
                await pipe.execute()
            except (RedisConnectionError, ResponseError):
                pipe.set("after", 1)
                await pipe.execute()

        assert await pool.get("after") == b"1"


async def test_a_worker_that_waits_is_sent_to_the_new_primary(pair: Pair) -> None:
    async with used_pool(pair) as pool:
        waiting = asyncio.create_task(pool.multiplexed.execute(("BLPOP", "wake", 1.5)))
        await asyncio.sleep(0.1)
        await pair.demote_first()
        other = open_pool(BASE, pair.settings)
        await other.lpush("wake", "token")

        assert await waiting == [[b"wake", b"token"]]

        await other.aclose(close_connection_pool=True)


async def test_a_heartbeat_finds_the_new_primary(pair: Pair) -> None:
    with open_client(BASE, pair.settings) as client:
        await asyncio.to_thread(client.set, "before", 1)
        await pair.demote_first()
        with pytest.raises(RedisConnectionError):
            await asyncio.to_thread(client.set, "after", 1)

        assert await asyncio.to_thread(client.set, "after", 1)


@pytest.mark.parametrize(
    ("answer", "left"),
    [
        (ReadOnlyError("You can't write against a read only replica."), True),
        (ResponseError("MASTERDOWN Link with MASTER is down"), True),
        (ResponseError("UNBLOCKED force unblock from blocking operation"), True),
        (ResponseError("Error running script: @user_script:1: -READONLY You can't write"), True),
        (ResponseError("WRONGTYPE Operation against a key"), False),
        (ResponseError("unknown command 'READONLYMODE'"), False),
        (b"READONLY", False),
    ],
)
def test_the_errors_of_a_server_that_takes_no_writes_are_recognized(
    answer: object, left: bool
) -> None:
    assert left_primary(answer) is left


@pytest.mark.parametrize("hangs", [False, True], ids=["closes connections", "never answers"])
async def test_a_client_connects_once_for_each_of_its_tries(
    settings: Settings, *, hangs: bool
) -> None:
    async with broken_server(hangs=hangs) as (url, connections):
        changes = {"queue_redis_urls": {"base": url}, "redis_timeout": 0.2}
        client = open_pool(BASE, settings.model_copy(update=changes), retries=2)

        with pytest.raises((RedisConnectionError, RedisTimeoutError)):
            await client.ping()

    assert len(connections) == 3
    await client.aclose(close_connection_pool=True)


async def test_more_than_a_hundred_jobs_may_use_redis_at_the_same_time(queues: QueuePools) -> None:
    numbers = await asyncio.gather(*(queues[BASE].incr("counter") for _ in range(150)))

    assert sorted(numbers) == [*range(1, 151)]


def test_the_address_may_limit_the_connections(settings: Settings) -> None:
    urls = {"queue_redis_urls": {"base": "redis://redis:6379?max_connections=5"}}
    client = open_pool(BASE, settings.model_copy(update=urls))

    assert client.connection_pool.max_connections == 5
