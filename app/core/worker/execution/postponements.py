"""Jobs that this release cannot run, but another one can: during a deploy, both serve a queue."""

import random

import structlog
from redis.exceptions import RedisError

from app.core.broker.client import QueueRedis
from app.core.broker.scripts import Call, run_scripts

log = structlog.stdlib.get_logger("app.worker")

SHORTEST, LONGEST = 1.0, 60.0
"""Seconds between two tries to find a worker for a job that none could run."""


class Postponements:
    """The jobs of a queue that were put off, with the time since when."""

    def __init__(self, redis: QueueRedis) -> None:
        self._redis = redis

    async def postpone(self, job_id: str, name: str) -> float:
        """Remember that a job was put off, and return for how many seconds it has been."""
        call = Call("postpone", self._redis.queue_keys, [job_id, name])
        try:
            [waited_ms] = await run_scripts(self._redis.multiplexed, call)
        except (RedisError, OSError):
            return 0  # the worker reports the outage; the job comes back
        return float(waited_ms) / 1000

    async def recall(self) -> None:
        """Make all of them due. Raises redis.exceptions.RedisError."""
        await run_scripts(self._redis.multiplexed, Call("recall", self._redis.queue_keys, []))


def postponement_delay(waited: float) -> float:
    """Return after how many seconds the next worker looks at a job. It grows with the wait."""
    longest = min(LONGEST, max(SHORTEST, waited / 4))
    return random.uniform(longest / 2, longest)  # noqa: S311  no secret
