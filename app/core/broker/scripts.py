"""The Lua scripts in `lua/`, each of which is one atomic step."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha1
from importlib.resources import files

from redis.exceptions import NoScriptError, RedisError

from app.core.broker.keys import QueueKeys
from app.core.redis_connections.multiplexed import Argument, Command, MultiplexedConnection, Reply

KEYS = re.compile(rb"^local ([\w,\s]+?) = unpack\(KEYS\)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Script:
    """A script, and the keys that it declares in `local … = unpack(KEYS)`."""

    source: bytes
    sha: str
    keys: tuple[str, ...]


@cache
def script(name: str) -> Script:
    """Read `lua/<name>.lua`. Raises LookupError if it declares no keys."""
    source = files("app.core.broker").joinpath("lua", f"{name}.lua").read_bytes()
    if (declared := KEYS.search(source)) is None:
        raise LookupError(f"lua/{name}.lua must declare its keys: local queue, … = unpack(KEYS)")
    names = (each.strip() for each in declared[1].decode().split(","))
    return Script(source, sha1(source, usedforsecurity=False).hexdigest(), tuple(names))


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a script with its arguments, on the keys of a queue."""

    name: str
    keys: QueueKeys
    arguments: Sequence[Argument]

    def command(self) -> list[Argument]:
        return ["EVALSHA", script(self.name).sha, *self._keys_and_arguments()]

    def command_with_source(self) -> list[Argument]:
        return ["EVAL", script(self.name).source, *self._keys_and_arguments()]

    def _keys_and_arguments(self) -> list[Argument]:
        keys = self.keys.named(script(self.name).keys)
        return [len(keys), *keys, *self.arguments]


async def run_scripts(
    connection: MultiplexedConnection, *calls: Call, after: Command | None = None
) -> list[Reply]:
    """Run scripts in sequence, in one round trip, and return their replies.

    With `after`, they run after a command in the same packet, which may block. A restarted server
    does not know the scripts, so their source is sent again.

    Raises redis.exceptions.RedisError.
    """
    commands: list[Command] = [] if after is None else [after]
    first = len(commands)
    replies = await connection.execute(*commands, *(call.command() for call in calls))
    for number, call in enumerate(calls, first):
        if isinstance(replies[number], NoScriptError):
            [replies[number]] = await connection.execute(call.command_with_source())
    for reply in replies:
        if isinstance(reply, RedisError):
            raise reply
    return replies[first:]
