"""The measured jobs, with the same code for every contender."""

import asyncio
import itertools
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from redis.asyncio import Redis

REPORTS = "benchmark:reports"
"""The list in the database of the queue to which the worker reports."""

COUNTER = "benchmark:counter"

PAGE = os.sysconf("SC_PAGE_SIZE")
STATM = Path("/proc/self/statm")


@dataclass(frozen=True)
class Report:
    """The state of a worker at one moment. The processes of a machine share the clock."""

    moment: float
    cpu: float
    rss: int

    @classmethod
    def now(cls) -> Self:
        rss = int(STATM.read_bytes().split()[1]) * PAGE if STATM.exists() else 0
        return cls(time.monotonic(), time.process_time(), rss)

    @classmethod
    def parse(cls, text: bytes) -> Self:
        moment, cpu, rss = text.split()
        return cls(float(moment), float(cpu), int(rss))

    def __str__(self) -> str:
        return f"{self.moment} {self.cpu} {self.rss}"


@dataclass(frozen=True)
class Task:
    """A job for which each contender has a function."""

    name: str
    arguments: dict[str, float]


async def report(redis: Redis) -> None:
    """Report the start of a job."""
    await _push(redis, Report.now())


async def increment(redis: Redis, first: int, last: int, every: int) -> None:
    """Do one INCR. Report the first, the last, and each `every`-th one unless that is 0."""
    number = await redis.incr(COUNTER)
    if number in {first, last} or (every and number % every == 0):
        await _push(redis, Report.now())


async def compute(redis: Redis, first: int, last: int, every: int) -> None:
    """Use the processor for about 2 ms, and do one INCR, which reports like `increment`."""
    sum(number * number for number in range(40_000))
    await increment(redis, first, last, every)


async def nap(redis: Redis, seconds: float, last: int) -> None:
    """Sleep. Report the first start and the last end in this process."""
    if next(_started) == 0:
        await _push(redis, Report.now())
    await asyncio.sleep(seconds)
    if next(_ended) == last - 1:
        await _push(redis, Report.now())


async def _push(redis: Redis, report: Report) -> None:
    await redis.execute_command("RPUSH", REPORTS, str(report))  # type: ignore[no-untyped-call]


_started, _ended = itertools.count(), itertools.count()
