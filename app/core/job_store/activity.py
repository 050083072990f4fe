"""Statistics of tries per job class and minute: their number, outcomes, and durations.

Each minute is one hash in the Redis of a queue. A worker counts in memory, and adds its counts
about once a second. Counts that it has not added are lost if it is killed.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

from app.core.job_store.tries import TryOutcome

LIFETIME = 86_400 + 3_600
"""Seconds until the counts of a minute expire: a day and an hour."""

BOUNDS = (
    *(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5),
    *(1.0, 2.0, 5.0, 10.0, 20.0, 60.0, 120.0, 300.0, 600.0, 1_800.0, 3_600.0, 14_400.0),
)
"""The upper limits of a histogram's buckets, in seconds. The last bucket has none."""

BUCKETS = len(BOUNDS) + 1
PICKUP = tuple(f"p{number}" for number in range(BUCKETS))
DURATION = tuple(f"d{number}" for number in range(BUCKETS))
"""The fields of a hash, one for each bucket."""

OUTCOMES: tuple[TryOutcome, ...] = get_args(TryOutcome)

Counts = Mapping[str, int]
"""The fields of one hash."""


@dataclass(frozen=True, slots=True)
class Histogram:
    """The number of tries per bucket of `BOUNDS`. The last bucket has the longer ones."""

    counts: tuple[int, ...] = (0,) * BUCKETS

    @property
    def total(self) -> int:
        return sum(self.counts)

    def quantile(self, fraction: float) -> float | None:
        """Estimate the duration in seconds that this fraction of the tries did not exceed.

        The estimate assumes that the tries of a bucket are evenly distributed. It is at most the
        last limit. Return None for an empty histogram.
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
    """Durations in seconds, estimated from a histogram, or None if it is empty."""

    p50: float | None = None
    p95: float | None = None
    p99: float | None = None

    @classmethod
    def of(cls, histogram: Histogram) -> "Percentiles":
        p50, p95, p99 = map(histogram.quantile, (0.5, 0.95, 0.99))
        return cls(p50=p50, p95=p95, p99=p99)


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """The tries of a period. `interrupted` ones did not count as tries."""

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
    """A summary of the tries of a period. Durations are in seconds."""

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
    """Parse a hash, which is a map, or in the reply of a script a list of fields and counts."""
    if isinstance(reply, Mapping):
        return {_text(field): int(count) for field, count in reply.items()}
    return {_text(field): int(n) for field, n in zip(reply[::2], reply[1::2], strict=True)}


def jobs_ended(minute: Counts) -> int:
    """Return the number of jobs that ended in a minute."""
    return sum(minute.get(outcome, 0) for outcome in ("succeeded", "failed", "cancelled"))


def _text(field: bytes) -> str:
    return field.decode(errors="replace")
