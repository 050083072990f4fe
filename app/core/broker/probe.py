"""A check whether a queue has all permissions on its Redis, before a job needs them."""

import re

from redis.exceptions import NoPermissionError

from app.core.broker.client import QueueRedis
from app.core.broker.scripts import Call, run_scripts

NAMED_COMMAND = re.compile(r"'([\w|]+)' command")


class PermissionMissing(NoPermissionError):
    """The user in the URL lacks permissions. `missing` lists commands, or `keys`."""

    def __init__(self, missing: list[str]) -> None:
        self.missing = missing
        super().__init__(
            f"The Redis user lacks permissions: {', '.join(missing)}. "
            "docs/queues.md lists those that a queue needs"
        )


async def probe(redis: QueueRedis) -> None:
    """Write to a queue's Redis. Raises PermissionMissing or redis.exceptions.RedisError."""
    try:
        [refused] = await run_scripts(redis.multiplexed, Call("probe", redis.queue_keys, []))
    except NoPermissionError as error:
        raise PermissionMissing(_commands_in([error])) from error
    errors = await redis.multiplexed.execute(
        ("EVAL", "return 1", 0),
        ("MULTI",),
        ("BLPOP", redis.queue_keys.probe, 1),  # does not block in a transaction
        ("EXEC",),
    )
    missing = [each.decode() for each in refused] + _commands_in(errors)
    if missing:
        raise PermissionMissing(missing)


def _commands_in(replies: list[object]) -> list[str]:
    texts = [str(reply) for reply in replies if isinstance(reply, NoPermissionError)]
    named = (NAMED_COMMAND.search(text) for text in texts)
    return [match[1].upper() if match else "keys" for match in named]
