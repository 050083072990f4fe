"""The Lua scripts in `lua/`: each does in one step what must not be half done."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha1
from importlib.resources import files

from redis.exceptions import NoScriptError, RedisError

from app.core.wire import Argument, Reply, Wire


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


async def run_scripts(wire: Wire, *calls: Call) -> list[Reply]:
    """Run scripts one after the other in one round trip and return what they answer.

    A server that was restarted knows none of them: it is given their source again.

    Raises redis.exceptions.RedisError.
    """
    replies = await wire.execute(*(call.command() for call in calls))
    for number, reply in enumerate(replies):
        if isinstance(reply, NoScriptError):
            [replies[number]] = await wire.execute(calls[number].command_with_source())
    for reply in replies:
        if isinstance(reply, RedisError):
            raise reply
    return replies
