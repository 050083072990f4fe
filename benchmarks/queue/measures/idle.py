"""Count the Redis commands of an idle worker."""

import asyncio
from functools import partial

from benchmarks.queue.contenders import DEFAULT, OURS, TUNED, Contender
from benchmarks.queue.figures import Figure, at_most
from benchmarks.queue.ground import Ground
from benchmarks.queue.monitor import Traffic, watching
from benchmarks.queue.rounds import Scale, interleaved
from benchmarks.queue.stage import stage

SECONDS = 20.0


async def idle(ground: Ground, scale: Scale) -> list[Figure]:
    """Count the commands per second of one worker with an empty queue."""
    seconds = SECONDS * scale.share
    turns = {
        contender.name: partial(idle_worker, ground, contender, seconds)
        for contender in (OURS, DEFAULT, TUNED)
    }
    seen = await interleaved(1, turns)
    sent = {name: [traffic.sent for traffic in each] for name, each in seen.items()}
    in_all = {name: [traffic.in_all for traffic in each] for name, each in seen.items()}
    return [
        Figure("commands of clients, idle worker", "/s", sent, at_most(3)),
        Figure("with those inside scripts, idle worker", "/s", in_all),
    ]


async def idle_worker(ground: Ground, contender: Contender, seconds: float) -> Traffic:
    async with stage(ground, contender) as its:
        await asyncio.sleep(min(1.0, seconds))  # a worker is not idle right after its start
        async with watching(its.redis) as traffic:
            await asyncio.sleep(seconds)
        return traffic.per(seconds)
