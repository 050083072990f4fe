"""Claims jobs of a queue under a lease, and finishes or releases them."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.core.broker.client import QueueRedis
from app.core.broker.message import now_ms
from app.core.broker.scripts import Call, run_scripts
from app.core.redis_connections.multiplexed import Argument, Command, MultiplexedConnection
from app.core.worker.claims import Claim, Outcome

LEASE = 15.0
"""Seconds for which a claimed job belongs to its worker. After a crash, it is then due again."""

LEASE_MS = round(LEASE * 1000)

MAX_BATCH = 500
"""Jobs that one script call claims or finishes at most, because Lua's stack is limited."""

HEALTH_INTERVAL = 5.0
"""Seconds between two updates of the health key, which lasts a second longer."""

INTERRUPT_LIFETIME = 15
"""Seconds until a token expires that came too late to interrupt a wait."""


@dataclass(frozen=True, slots=True)
class Reply:
    """The reply of Redis to a claim.

    `next_due` is the time in seconds until a job is due, or None if no job waits. `solo` is a job
    that may run only while this worker runs no other: one of `claims`, or one to claim later.
    """

    claims: list[Claim] = field(default_factory=list)
    next_due: float | None = None
    solo: str | None = None
    cancelled: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


class Leases:
    """The leases of one worker on its queue."""

    def __init__(self, redis: QueueRedis, worker_id: str) -> None:
        self._redis = redis
        self._keys = redis.queue_keys
        self._worker_id = worker_id
        self._number = 0
        self._healthy_until = 0.0
        # A connection that waits for a token is blocked, so waiting needs its own.
        self._waiting = MultiplexedConnection(redis.connection_pool)

    async def exchange(
        self, outcomes: Sequence[Outcome], *, free: int, busy: int, solo: str | None = None
    ) -> Reply:
        """Finish jobs and claim jobs for the free slots, in one round trip.

        `busy` counts the jobs that keep running. `solo` is the job that an earlier reply named.

        Raises redis.exceptions.RedisError. The outcomes must then be sent again, which is safe.
        """
        claim = self._claim(free, busy, solo)
        calls = [*self._finish_calls(outcomes), claim]
        *refused, claimed = await run_scripts(self._redis.multiplexed, *calls)
        return _reply(claim, claimed, _ids(refused))

    async def finish(self, outcomes: Sequence[Outcome]) -> list[str]:
        """Send the outcomes of jobs, and return the ids of those that Redis refused.

        Raises redis.exceptions.RedisError.
        """
        calls = [*self._finish_calls(outcomes)]
        return _ids(await run_scripts(self._redis.multiplexed, *calls)) if calls else []

    async def listen(self, *, free: int, busy: int, seconds: float) -> Reply:
        """Wait for a token of the queue, at most for some seconds, then claim jobs.

        Both commands are sent in one packet, which saves an idle worker a round trip. `free` and
        `busy` are the numbers from before the wait, so no other call may claim during it.

        Raises redis.exceptions.RedisError.
        """
        claim = self._claim(free, busy, None)
        own = self._keys.interrupt(self._worker_id)
        wait: Command = ("BLPOP", self._keys.wake, own, seconds)
        [claimed] = await run_scripts(self._waiting, claim, after=wait)
        return _reply(claim, claimed)

    async def interrupt(self) -> None:
        """End the wait of `listen`, so that it claims now. Raises redis.exceptions.RedisError."""
        own = self._keys.interrupt(self._worker_id)
        await self._redis.multiplexed.execute_all(
            ("LPUSH", own, 1), ("EXPIRE", own, INTERRUPT_LIFETIME)
        )

    async def aclose(self) -> None:
        await self._waiting.aclose()

    def _claim(self, free: int, busy: int, solo: str | None) -> Call:
        self._number += 1
        free = max(0, min(free, MAX_BATCH))
        health_ms = self._health_ms()
        # Each claim has another token, so that a worker can claim the same job again.
        token = f"{self._worker_id}/{self._number}"
        arguments: list[Argument] = [token, free, busy, LEASE_MS, solo or "", health_ms]
        return Call("claim", self._keys, arguments)

    def _health_ms(self) -> int:
        """Return the new lifetime of the key that `arq --check` reads, or 0 for no change."""
        now = time.monotonic()
        if now < self._healthy_until:
            return 0
        self._healthy_until = now + HEALTH_INTERVAL
        return round((HEALTH_INTERVAL + 1) * 1000)

    def _finish_calls(self, outcomes: Sequence[Outcome]) -> Iterator[Call]:
        for first in range(0, len(outcomes), MAX_BATCH):
            arguments: list[Argument] = []
            for outcome in outcomes[first : first + MAX_BATCH]:
                claim = outcome.claim
                arguments += (claim.job_id, claim.token, outcome.kind)
                arguments += (outcome.number, outcome.result)
            yield Call("finish", self._keys, arguments)


def _reply(claim: Call, claimed: list[Any], refused: Sequence[str] = ()) -> Reply:
    next_due, solo, cancelled, *jobs = claimed
    token, now = str(claim.arguments[0]), now_ms()
    claims = [
        Claim(job_id.decode(), token, payload, tries, crashes, now, waited)
        for job_id, payload, tries, crashes, waited in zip(*[iter(jobs)] * 5, strict=True)
    ]
    return Reply(
        claims=claims,
        next_due=None if next_due < 0 else next_due / 1000,
        solo=solo.decode() or None,
        cancelled=[job_id.decode(errors="replace") for job_id in cancelled],
        refused=list(refused),
    )


def _ids(replies: Sequence[Sequence[bytes]]) -> list[str]:
    return [job_id.decode() for batch in replies for job_id in batch]
