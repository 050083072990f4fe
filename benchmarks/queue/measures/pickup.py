"""How long an idle worker takes to start a job that has just been sent."""

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
LONGEST_PAUSE = 0.03
"""Seconds; a random pause, so that every moment between two polls has its turn."""


async def pickup(ground: Ground, scale: Scale) -> list[Figure]:
    """Time from the call of `send` to the first line of the handler."""
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


def shares(rounds: dict[str, list[list[float]]], share: float) -> dict[str, Sequence[float]]:
    """Take from each round the pickup that a share of its jobs did not exceed."""
    return {name: [quantile(times, share) for times in each] for name, each in rounds.items()}


async def by_idle_worker(ground: Ground, contender: Contender, count: int) -> list[float]:
    async with stage(ground, contender) as its, contender.sender(ground.settings) as send:
        await pickups(its, send, WARM_UP)
        return await pickups(its, send, count)


async def pickups(its: Stage, send: Send, count: int) -> list[float]:
    """Send jobs one after another and tell for each in how many ms it was started."""
    times = []
    for _ in range(count):
        await asyncio.sleep(random.uniform(0, LONGEST_PAUSE))  # noqa: S311  no secret
        sent = time.monotonic()
        await send(Task("report", {}))
        times.append((await its.report()).moment - sent)
    return [1000 * seconds for seconds in times]
