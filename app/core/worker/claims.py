"""The jobs that a worker has leased, and the outcomes that Redis has not acknowledged."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

Kind = Literal["succeeded", "failed", "cancelled", "retry", "release"]


@dataclass(slots=True)
class Claim:
    """A leased job.

    `crashes` counts the workers that died while they ran the job. `tries` does not include those
    tries. `claimed_ms` is by the clock of this machine. `waited_ms` is the time since the job was
    due, by the clock of Redis. `cancelled` is True if an operator canceled the job.
    """

    job_id: str
    token: str
    payload: bytes | None
    tries: int
    crashes: int
    claimed_ms: int
    waited_ms: int = 0
    cancelled: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a try. `number` is the lifetime of the result, or the delay, in ms.

    'retry' counts the try. 'release' returns the job to the queue without counting it.
    """

    claim: Claim
    kind: Kind
    number: int = 0
    result: bytes = b""


class Claims:
    """The claims of one worker, which has a number of slots.

    A job in quarantine, which may crash its worker, runs `solo`: no other job runs then.
    """

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._claims: dict[str, Claim] = {}
        self._outcomes: dict[str, Outcome] = {}
        self.solo: str | None = None

    def __len__(self) -> int:
        return len(self._claims)

    def get(self, job_id: str) -> Claim | None:
        return self._claims.get(job_id)

    def all(self) -> list[Claim]:
        """Return all claims. The heartbeat's thread calls this, and `list` copies atomically."""
        return list(self._claims.values())

    @property
    def busy(self) -> int:
        """The number of running jobs."""
        return len(self._claims) - len(self._outcomes)

    @property
    def free(self) -> int:
        """The number of jobs that may still be claimed."""
        if self.solo is not None:
            return 0 if self.busy else 1
        return max(0, self._slots - self.busy)

    def has_solo(self) -> bool:
        """Return whether the job that must run solo is claimed."""
        return self.solo in self._claims

    def add(self, claim: Claim) -> None:
        """Add a claim. It replaces the claim of the same job, whose lease has expired."""
        self._claims[claim.job_id] = claim
        if outcome := self._outcomes.get(claim.job_id):
            self._outcomes[claim.job_id] = replace(outcome, claim=claim)

    def record(self, outcome: Outcome) -> None:
        """Keep the outcome of a job until Redis has acknowledged it."""
        self._outcomes[outcome.claim.job_id] = outcome

    def outcomes(self) -> list[Outcome]:
        """Return the outcomes that Redis has not acknowledged."""
        return list(self._outcomes.values())

    def has_outcome(self, job_id: str) -> bool:
        return job_id in self._outcomes

    def acknowledge(self, outcomes: Sequence[Outcome]) -> None:
        """Release the claims whose outcomes Redis has stored."""
        for outcome in outcomes:
            self.release(outcome.claim)

    def release(self, claim: Claim) -> bool:
        """Remove a claim. Return False if it is gone or a newer claim has replaced it."""
        if self._claims.get(claim.job_id) is not claim:
            return False
        del self._claims[claim.job_id]
        self._outcomes.pop(claim.job_id, None)
        if self.solo == claim.job_id:
            self.solo = None
        return True
