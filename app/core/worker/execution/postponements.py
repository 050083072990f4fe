"""Postponed jobs, which another release can run. During a deployment, both serve a queue."""

import random

import structlog
from redis.exceptions import RedisError

from app.core.broker.client import QueueRedis
from app.core.broker.scripts import Call, run_scripts

log = structlog.stdlib.get_logger("app.worker")

MIN_DELAY, MAX_DELAY = 1.0, 60.0
"""Seconds until another worker may claim a job that this one cannot run."""


class Postponements:
    """The postponed jobs of a queue, each with the time of its first postponement."""

    def __init__(self, redis: QueueRedis) -> None:
        self._redis = redis

    async def postpone(self, job_id: str, name: str) -> float:
        """Postpone a job, and return the seconds since its first postponement."""
        call = Call("postpone", self._redis.queue_keys, [job_id, name])
        try:
            [waited_ms] = await run_scripts(self._redis.multiplexed, call)
        except (RedisError, OSError):
            return 0  # the worker logs the outage, and the job is claimed again
        return float(waited_ms) / 1000

    async def recall(self) -> None:
        """Make all postponed jobs due. Raises redis.exceptions.RedisError."""
        await run_scripts(self._redis.multiplexed, Call("recall", self._redis.queue_keys, []))


def postponement_delay(waited: float) -> float:
    """Return the seconds until the next worker may claim a job. They grow with the time waited."""
    longest = min(MAX_DELAY, max(MIN_DELAY, waited / 4))
    return random.uniform(longest / 2, longest)  # noqa: S311  no secret
