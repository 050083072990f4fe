"""The processor time per job of two workers that run at the same time, one with metrics."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median

from benchmarks.queue.contenders import OURS
from benchmarks.queue.ground import Ground, laid, own_servers
from benchmarks.queue.measures.throughput import WARM_UP, increments
from benchmarks.queue.stage import Stage, stage
from dev.processes import free_port

JOBS = 5_000


@contextmanager
def two_grounds() -> Iterator[tuple[Ground, Ground]]:
    """Open a ground without metrics, and one with metrics and its own Redis database."""
    with own_servers() as without:
        other = without.folder / "measured"
        other.mkdir()
        address = f"{without.settings.redis_url}/{OURS.queue.redis_db + 1}"
        changes = {"metrics_port": free_port(), "queue_redis_urls": {OURS.queue.name: address}}
        yield without, laid(without.settings.model_copy(update=changes), other)


def compare(rounds: int) -> tuple[float, float]:
    """Return the µs per job without metrics, and the additional µs with metrics."""
    with two_grounds() as (without, measured):
        return asyncio.run(_compare(without, measured, rounds))


async def _compare(without: Ground, measured: Ground, rounds: int) -> tuple[float, float]:
    async with stage(without, OURS) as one, stage(measured, OURS) as other:
        await _beside(one, other, WARM_UP)
        pairs = [await _beside(one, other, JOBS) for _ in range(rounds)]
    return median(bare for bare, _ in pairs), median(more - bare for bare, more in pairs)


async def _beside(one: Stage, other: Stage, jobs: int) -> tuple[float, float]:
    """Run the same number of jobs in both, so that other work affects both."""
    paces = await asyncio.gather(increments(one, jobs), increments(other, jobs))
    await asyncio.gather(one.empty(), other.empty())
    return paces[0].cpu, paces[1].cpu
