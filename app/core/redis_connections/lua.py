"""Lua scripts, each of which Redis runs as one atomic step."""

from collections.abc import Sequence
from hashlib import sha1

from redis.exceptions import NoScriptError

from app.core.redis_connections.multiplexed import Argument, MultiplexedConnection, Reply


class LuaScript:
    """A script that is sent by its hash. Only a server that does not know it gets the source."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._sha = sha1(source.encode(), usedforsecurity=False).hexdigest()

    async def run(
        self, connection: MultiplexedConnection, keys: Sequence[str], *arguments: Argument
    ) -> Reply:
        """Run the script, and return its reply. Raises redis.exceptions.RedisError."""
        given = (len(keys), *keys, *arguments)
        try:
            return await connection.execute_one("EVALSHA", self._sha, *given)
        except NoScriptError:
            return await connection.execute_one("EVAL", self._source, *given)
