"""How often the jobs of a class were tried in a minute, how that ended, and how long it took.

A minute is one hash in the Redis of a queue. A worker counts in its memory and adds its counts
about once a second. What it has not added yet is lost when it is killed.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

from app.core.job_store.attempts import TryOutcome

LIFETIME = 86_400 + 3_600
"""Seconds until a minute is forgotten: a day, and an hour more."""

BOUNDS = (
    *(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5),
    *(1.0, 2.0, 5.0, 10.0, 20.0, 60.0, 120.0, 300.0, 600.0, 1_800.0, 3_600.0, 14_400.0),
)
"""The upper limits in seconds of the parts of a histogram. The last part has none."""

PARTS = len(BOUNDS) + 1
PICKUP = tuple(f"p{number}" for number in range(PARTS))
DURATION = tuple(f"d{number}" for number in range(PARTS))
"""The fields of a hash, one for each part."""

OUTCOMES: tuple[TryOutcome, ...] = get_args(TryOutcome)

Counts = Mapping[str, int]
"""The fields of one hash."""


@dataclass(frozen=True, slots=True)
class Histogram:
    """How many tries took how long. `counts` has one number for each of `BOUNDS` and one more."""

    counts: tuple[int, ...] = (0,) * PARTS

    @property
    def total(self) -> int:
        return sum(self.counts)

    def quantile(self, fraction: float) -> float | None:
        """Estimate the duration in seconds that this fraction of the tries did not exceed.

        The tries of one part are taken as spread evenly over it. For those beyond the last limit,
        the limit is returned. None where nothing was counted.
        """
        rank, passed = fraction * self.total, 0
        for number, count in enumerate(self.counts):
            if count and passed + count >= rank:
                if number == len(BOUNDS):
                    return BOUNDS[-1]
                below = BOUNDS[number - 1] if number else 0.0
                return below + (BOUNDS[number] - below) * (rank - passed) / count
            passed += count
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Percentiles:
    """Durations in seconds, estimated from a histogram. None where nothing was counted."""

    p50: float | None = None
    p95: float | None = None
    p99: float | None = None

    @classmethod
    def of(cls, histogram: Histogram) -> "Percentiles":
        p50, p95, p99 = map(histogram.quantile, (0.5, 0.95, 0.99))
        return cls(p50=p50, p95=p95, p99=p99)


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """The tries of some minutes. `interrupted` ones did not count as tries."""

    succeeded: int = 0
    retried: int = 0
    failed: int = 0
    cancelled: int = 0
    interrupted: int = 0
    pickup: Histogram = Histogram()
    duration: Histogram = Histogram()

    @property
    def ended(self) -> int:
        return self.succeeded + self.failed + self.cancelled

    @classmethod
    def of(cls, minutes: Iterable[Counts]) -> "Activity":
        """Add up minutes."""
        total: dict[str, int] = {}
        for minute in minutes:
            for field, count in minute.items():
                total[field] = total.get(field, 0) + count
        return cls(
            **{outcome: total.get(outcome, 0) for outcome in OUTCOMES},
            pickup=Histogram(tuple(total.get(field, 0) for field in PICKUP)),
            duration=Histogram(tuple(total.get(field, 0) for field in DURATION)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivitySummary:
    """The tries of a period in a few numbers. Durations are in seconds."""

    succeeded: int
    failed: int
    retried: int
    cancelled: int
    pickup: Percentiles
    duration: Percentiles

    @classmethod
    def of(cls, activity: Activity) -> "ActivitySummary":
        return cls(
            succeeded=activity.succeeded,
            failed=activity.failed,
            retried=activity.retried,
            cancelled=activity.cancelled,
            pickup=Percentiles.of(activity.pickup),
            duration=Percentiles.of(activity.duration),
        )


def parse_counts(reply: Mapping[bytes, bytes] | Sequence[bytes]) -> dict[str, int]:
    """Read a hash as Redis returns it: as a map, or in a script as fields and numbers in turns."""
    if isinstance(reply, Mapping):
        return {_text(field): int(count) for field, count in reply.items()}
    return {_text(field): int(n) for field, n in zip(reply[::2], reply[1::2], strict=True)}


def _text(field: bytes) -> str:
    return field.decode(errors="replace")


def jobs_ended(minute: Counts) -> int:
    """Return how many jobs ended in a minute."""
    return sum(minute.get(outcome, 0) for outcome in ("succeeded", "failed", "cancelled"))
