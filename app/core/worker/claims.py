"""What a worker holds: jobs under lease, and what became of them as long as Redis has not heard."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

Ending = Literal["succeeded", "failed", "cancelled"]


@dataclass(slots=True)
class Claim:
    """A job that this worker holds, as the claim brought it.

    `crashes` counts the workers that died while they ran it; those tries are not in `tries`.
    `claimed_ms` is by this machine's clock. `ending` is what the end of the job will count as.
    """

    job_id: str
    token: str
    payload: bytes | None
    tries: int
    crashes: int
    claimed_ms: int
    ending: Ending = "succeeded"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a job; `number` is the lifetime of its result or its pause, in ms."""

    claim: Claim
    kind: Ending | Literal["retry", "release"]
    number: int = 0
    result: bytes = b""


class Claims:
    """The jobs of one worker, which has a number of slots.

    A job that may take its worker along runs `alone`: then nothing else runs.
    """

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._held: dict[str, Claim] = {}
        self._outcomes: dict[str, Outcome] = {}
        self.alone: str | None = None

    def __len__(self) -> int:
        return len(self._held)

    def __getitem__(self, job_id: str) -> Claim:
        return self._held[job_id]

    def get(self, job_id: str) -> Claim | None:
        return self._held.get(job_id)

    def held(self) -> list[Claim]:
        """List all of them; the heartbeat's thread may ask, since `list` copies in one step."""
        return list(self._held.values())

    @property
    def busy(self) -> int:
        """How many jobs run."""
        return len(self._held) - len(self._outcomes)

    @property
    def free(self) -> int:
        """How many more may be claimed."""
        if self.alone is not None:
            return 0 if self.busy else 1
        return max(0, self._slots - self.busy)

    def holds_alone(self) -> bool:
        """Tell whether the job that must run alone is held."""
        return self.alone in self._held

    def hold(self, claim: Claim) -> None:
        """Hold a job, also one that is held already: its lease had ended, and begins anew."""
        self._held[claim.job_id] = claim
        if outcome := self._outcomes.get(claim.job_id):
            self._outcomes[claim.job_id] = replace(outcome, claim=claim)

    def note(self, outcome: Outcome) -> None:
        """Note what became of a job."""
        self._outcomes[outcome.claim.job_id] = outcome

    def outcomes(self) -> list[Outcome]:
        """List what Redis has not heard."""
        return list(self._outcomes.values())

    def has_outcome(self, job_id: str) -> bool:
        return job_id in self._outcomes

    def settle(self, outcomes: Sequence[Outcome]) -> None:
        """Let go of what Redis has heard."""
        for outcome in outcomes:
            self.lose(outcome.claim)

    def lose(self, claim: Claim) -> bool:
        """Let go of a job; False when it is held by a newer claim, or no longer."""
        if self._held.get(claim.job_id) is not claim:
            return False
        del self._held[claim.job_id]
        self._outcomes.pop(claim.job_id, None)
        if self.alone == claim.job_id:
            self.alone = None
        return True
