"""Taking jobs from a queue under a lease, and giving them back."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from arq.utils import timestamp_ms

from app.core.queue_redis import QueueRedis
from app.core.scripts import Call, run_scripts
from app.core.wire import Argument
from app.core.worker.claims import Claim, Outcome

LEASE = 15.0
"""Seconds for which a claimed job belongs to its worker. After a crash it comes back then."""

LEASE_MS = round(LEASE * 1000)

MOST_AT_ONCE = 500
"""Jobs that one call of a script takes or gives back at most: Lua's stack is limited."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What an exchange brought.

    `next_due` is in seconds, None when nothing is known to become due. `alone` is a job that may
    run only when this worker runs nothing else: one of `claims`, or one to be claimed then.
    """

    claims: list[Claim] = field(default_factory=list)
    next_due: float | None = None
    alone: str | None = None
    cancelled: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


class Leases:
    """A worker's side of a queue."""

    def __init__(self, redis: QueueRedis, worker_id: str) -> None:
        self._redis = redis
        self._worker_id = worker_id
        self._number = 0
        self.queue = redis.default_queue_name

    async def exchange(
        self, outcomes: Sequence[Outcome], *, free: int, busy: int, wanted: str | None = None
    ) -> Reply:
        """Give back what is done and fill the free slots, in one round trip.

        `busy` counts the jobs that go on running. `wanted` is the job that an earlier reply
        called `alone`.

        Raises redis.exceptions.RedisError; then the outcomes have to be given back again, which
        does no harm.
        """
        claim = self._claim(min(free, MOST_AT_ONCE), busy, wanted)
        *refused, claimed = await run_scripts(self._redis.wire, *self._finish(outcomes), claim)
        return self._reply(claimed, [job_id for batch in refused for job_id in batch])

    async def give_back(self, outcomes: Sequence[Outcome]) -> None:
        """Give back what is done, and take nothing. Raises redis.exceptions.RedisError."""
        await run_scripts(self._redis.wire, *self._finish(outcomes))

    def _claim(self, free: int, busy: int, wanted: str | None) -> Call:
        self._number += 1
        names = ("running", "control", "crashes", "priority", "later", "wake", "suspect", "clock")
        keys = [self.queue, *(f"{self.queue}:{name}" for name in names)]
        arguments: list[Argument] = [self._token, max(free, 0), busy, LEASE_MS, wanted or ""]
        return Call("claim", keys, arguments)

    def _finish(self, outcomes: Sequence[Outcome]) -> Iterator[Call]:
        names = ("running", "crashes", "priority", "later", "wake", "")
        keys = [self.queue, *(f"{self.queue}:{name}" for name in names)]
        for first in range(0, len(outcomes), MOST_AT_ONCE):
            arguments: list[Argument] = []
            for outcome in outcomes[first : first + MOST_AT_ONCE]:
                claim = outcome.claim
                arguments += (claim.job_id, claim.token, outcome.kind)
                arguments += (outcome.number, outcome.result)
            yield Call("finish", keys, arguments)

    @property
    def _token(self) -> str:
        """Different for each claim: a job that comes back to its own worker is another claim."""
        return f"{self._worker_id}/{self._number}"

    def _reply(self, claimed: list[Any], refused: Sequence[bytes]) -> Reply:
        next_due, alone, cancelled, *jobs = claimed
        now = timestamp_ms()
        claims = [
            Claim(job_id.decode(), self._token, payload, tries, crashes, now)
            for job_id, payload, tries, crashes in zip(*[iter(jobs)] * 4, strict=True)
        ]
        return Reply(
            claims=claims,
            next_due=None if next_due < 0 else next_due / 1000,
            alone=alone.decode() or None,
            cancelled=[job_id.decode(errors="replace") for job_id in cancelled],
            refused=[job_id.decode() for job_id in refused],
        )
