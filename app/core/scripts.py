"""The Lua scripts in `lua/`: each does in one step what must not be half done."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha1
from importlib.resources import files
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import NoScriptError, RedisError

Argument = str | bytes | int | float

Reply = Any
"""What a script returns is known by whoever called it."""


@dataclass(frozen=True, slots=True)
class Script:
    source: bytes
    sha: str


@cache
def script(name: str) -> Script:
    """Read `lua/<name>.lua`."""
    source = files("app.core").joinpath("lua", f"{name}.lua").read_bytes()
    return Script(source, sha1(source, usedforsecurity=False).hexdigest())


@dataclass(frozen=True, slots=True)
class Call:
    """A script with its keys and arguments."""

    name: str
    keys: Sequence[str]
    arguments: Sequence[Argument]

    def command(self) -> list[Argument]:
        return ["EVALSHA", script(self.name).sha, len(self.keys), *self.keys, *self.arguments]

    def command_with_source(self) -> list[Argument]:
        return ["EVAL", script(self.name).source, len(self.keys), *self.keys, *self.arguments]


async def run_scripts(redis: Redis, *calls: Call) -> list[Reply]:
    """Run scripts one after the other in one round trip and return what they answer.

    A server that was restarted knows none of them: it is given their source again.

    Raises redis.exceptions.RedisError.
    """
    pipe = redis.pipeline(transaction=False)
    for call in calls:
        pipe.execute_command(*call.command())
    replies: list[Reply] = await pipe.execute(raise_on_error=False)
    for number, reply in enumerate(replies):
        if isinstance(reply, NoScriptError):
            command = calls[number].command_with_source()
            replies[number] = await redis.execute_command(*command)  # type: ignore[no-untyped-call]
        elif isinstance(reply, RedisError):
            raise reply
    return replies
