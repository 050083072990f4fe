"""Count the Redis commands of a job."""

from functools import partial

from benchmarks.queue.contenders import DEFAULT, OURS, TUNED, Contender
from benchmarks.queue.figures import Figure, times_at_most
from benchmarks.queue.ground import Ground
from benchmarks.queue.monitor import Traffic, watching
from benchmarks.queue.rounds import Scale, interleaved
from benchmarks.queue.stage import stage
from benchmarks.queue.tasks import Task

WARM_UP = 3


async def commands(ground: Ground, scale: Scale) -> list[Figure]:
    """Count the commands from the send to the end of a job, without its own INCR."""
    single: dict[Contender, int] = {OURS: 200, DEFAULT: 20, TUNED: 100}
    many: dict[Contender, int] = {OURS: 1_000, DEFAULT: 400, TUNED: 1_000}
    alone = {
        each.name: partial(one_by_one, ground, each, scale.of(n)) for each, n in single.items()
    }
    crowd = {each.name: partial(at_once, ground, each, scale.of(n)) for each, n in many.items()}
    return [
        *figures("jobs one by one", await interleaved(1, alone)),
        *figures("jobs sent at once", await interleaved(1, crowd)),
    ]


def figures(how: str, seen: dict[str, list[Traffic]]) -> list[Figure]:
    sent = {name: [traffic.sent for traffic in each] for name, each in seen.items()}
    in_all = {name: [traffic.in_all for traffic in each] for name, each in seen.items()}
    half = times_at_most(0.5, DEFAULT.name)
    return [
        Figure(f"commands of clients, {how}", "/job", sent, half),
        Figure(f"with those inside scripts, {how}", "/job", in_all),
    ]


async def one_by_one(ground: Ground, contender: Contender, jobs: int) -> Traffic:
    """Send each job after the previous one has ended."""
    async with stage(ground, contender) as its, contender.sender(ground.settings) as send:
        for _ in range(WARM_UP):
            await send(Task("report", {}))
            await its.report()
        await its.empty()
        async with watching(its.redis) as traffic:
            for _ in range(jobs):
                await send(Task("report", {}))
                await its.report()
                await its.empty()
        return traffic.per(jobs)


async def at_once(ground: Ground, contender: Contender, jobs: int) -> Traffic:
    """Send all jobs without waiting, one call per job."""
    task = Task("increment", {"first": jobs, "last": jobs, "every": 0})
    async with stage(ground, contender) as its, contender.sender(ground.settings) as send:
        async with watching(its.redis) as traffic:
            for _ in range(jobs):
                await send(task)
            await its.report()
            await its.empty()
        return traffic.per(jobs)
