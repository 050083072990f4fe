"""Measure how soon an idle worker starts a job."""

import asyncio
import random
import time
from collections.abc import Sequence
from functools import partial

from benchmarks.queue.contenders import DEFAULT, OURS, RAW, TUNED, TUNED_UVLOOP, Contender, Send
from benchmarks.queue.figures import Figure, at_most, quantile
from benchmarks.queue.ground import Ground
from benchmarks.queue.rounds import Scale, interleaved
from benchmarks.queue.stage import Stage, stage
from benchmarks.queue.tasks import Task

WARM_UP = 20
PAUSE = (0.0, 0.03)
REST = (0.2, 3.0)
"""Seconds between two jobs, at least and at most. They are random, so that a job may arrive at any
moment between two polls. During a rest, the caches of the machine lose the worker's data."""

RESTED = 30
"""Jobs of each contender in one round."""


async def pickup(ground: Ground, scale: Scale) -> list[Figure]:
    """Measure the time from the call of `send` to the first line of the handler."""
    samples: dict[Contender, int] = {
        OURS: 400,
        DEFAULT: 40,
        TUNED: 200,
        TUNED_UVLOOP: 200,
        RAW: 400,
    }
    rounds = await interleaved(
        scale.rounds,
        {
            contender.name: partial(by_idle_worker, ground, contender, scale.of(count))
            for contender, count in samples.items()
        },
    )
    return [
        Figure("pickup, p50", "ms", shares(rounds, 0.5), at_most(2)),
        Figure("pickup, p99", "ms", shares(rounds, 0.99), at_most(4)),
    ]


async def pickup_after_rest(ground: Ground, scale: Scale) -> list[Figure]:
    """Measure the pickup with rests between the jobs. All contenders rest at the same time."""
    rounds = [await by_rested_workers(ground, scale.of(RESTED)) for _ in range(scale.rounds)]
    by_name = {name: [times[name] for times in rounds] for name in rounds[0]}
    return [
        Figure("pickup after a rest of 0.2-3 s, p50", "ms", shares(by_name, 0.5), at_most(3)),
        Figure("pickup after a rest of 0.2-3 s, p99", "ms", shares(by_name, 0.99), at_most(10)),
    ]


async def by_rested_workers(ground: Ground, count: int) -> dict[str, list[float]]:
    contenders: tuple[Contender, ...] = (OURS, TUNED_UVLOOP, RAW)
    turns = (by_idle_worker(ground, each, count, REST, warm_up=2) for each in contenders)
    times = await asyncio.gather(*turns)
    return {each.name: its for each, its in zip(contenders, times, strict=True)}


def shares(rounds: dict[str, list[list[float]]], share: float) -> dict[str, Sequence[float]]:
    """Return a quantile of the pickups of each round."""
    return {name: [quantile(times, share) for times in each] for name, each in rounds.items()}


async def by_idle_worker(
    ground: Ground,
    contender: Contender,
    count: int,
    pause: tuple[float, float] = PAUSE,
    warm_up: int = WARM_UP,
) -> list[float]:
    async with stage(ground, contender) as its, contender.sender(ground.settings) as send:
        await pickups(its, send, warm_up)
        return await pickups(its, send, count, pause)


async def pickups(
    its: Stage, send: Send, count: int, pause: tuple[float, float] = PAUSE
) -> list[float]:
    """Send jobs one after another, and return the ms until each was started."""
    times = []
    for _ in range(count):
        await asyncio.sleep(random.uniform(*pause))  # noqa: S311  no secret
        sent = time.monotonic()
        await send(Task("report", {}))
        times.append((await its.report()).moment - sent)
    return [1000 * seconds for seconds in times]
