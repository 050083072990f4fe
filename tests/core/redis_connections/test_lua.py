from uuid import uuid4

import pytest
from redis.exceptions import ResponseError

from app.core.queue import BASE, QueuePools
from app.core.redis_connections.lua import LuaScript


async def test_a_server_that_does_not_know_a_script_gets_its_source(queues: QueuePools) -> None:
    unknown = LuaScript(f"return {{KEYS[1], ARGV[1], ARGV[2]}} -- {uuid4()}")

    for _ in range(2):
        reply = await unknown.run(queues[BASE].multiplexed, ["test:key"], 1, "two")
        assert reply == [b"test:key", b"1", b"two"]


async def test_a_script_that_fails_raises_its_error(queues: QueuePools) -> None:
    failing = LuaScript("return redis.error_reply('ERR the script has failed')")

    with pytest.raises(ResponseError, match="the script has failed"):
        await failing.run(queues[BASE].multiplexed, [])
