"""`python -m benchmarks.console` measures the queries of the console on full servers.

It fills its own PostgreSQL and Valkey with waiting jobs and dead letters. It prints the median time
of each call, with its statements and its round trips to Redis. It takes two minutes.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from statistics import median

from app.core import control
from app.core.control import BulkAction, JobFilter, JobView
from app.core.queue import BASE
from app.core.resources import Resources, open_resources
from benchmarks.console import tabs
from benchmarks.console.costs import cost_of_counting, enqueue_rate, without_indexes
from benchmarks.console.fill import fill
from benchmarks.queue.ground import Ground, own_servers

ROUNDS = 15
OVERVIEW_LIMIT, BULK_LIMIT = 0.05, 10.0

Call = Callable[[], Awaitable[object]]


async def seconds_of(call: Call, rounds: int = ROUNDS) -> float:
    """Return the median duration of a call. A first call prepares the statements."""
    await call()
    durations = []
    for _ in range(rounds):
        began = time.perf_counter()
        await call()
        durations.append(time.perf_counter() - began)
    return median(durations)


def calls_of(resources: Resources) -> dict[str, Call]:
    sessions, queues = resources.sessions, resources.queues

    def search(filters: JobFilter) -> Call:
        async def search() -> object:
            try:
                return await control.search_jobs(sessions, queues, filters)
            except control.SearchTooBroad as refusal:
                return refusal

        return search

    return {
        "overview": lambda: control.overview(resources.reader, queues),
        "waiting jobs": search(JobFilter(state=JobView.WAITING)),
        "waiting jobs of a class": search(JobFilter(state=JobView.WAITING, name="Note")),
        "waiting jobs by an argument": search(
            JobFilter(state=JobView.WAITING, arguments={"user_id": "999999"})
        ),
        "waiting jobs by an argument that none has": search(
            JobFilter(state=JobView.WAITING, arguments={"user_id": "none"})
        ),
        "scheduled jobs": search(JobFilter(state=JobView.SCHEDULED)),
        "dead letters": search(JobFilter(state=JobView.DEAD)),
        "dead letters of an error": search(JobFilter(state=JobView.DEAD, error_class="Error7")),
        "groups of dead letters": lambda: control.group_dead_letters(sessions),
        "finished jobs": search(JobFilter(state=JobView.FINISHED)),
        "all job classes": lambda: control.list_job_classes(queues),
        "one job class": lambda: control.job_class_details(queues, "BuildSignupReport"),
    }


async def measure(resources: Resources, jobs: int, letters: int) -> bool:
    """Print a table, and return whether all targets are met."""
    await fill(resources, jobs, letters)
    print(f"{jobs:,} jobs wait, {letters:,} dead letters\n")
    found = {}
    for name, call in calls_of(resources).items():
        found[name] = await seconds_of(call)
        print(f"{name:45}{found[name] * 1000:9.1f} ms", flush=True)
    began = time.perf_counter()
    filters = JobFilter(state=JobView.DEAD, error_class="Error7")
    result = await control.change_dead_letters(
        resources.sessions, resources.queues, BulkAction.RETRY, filters
    )
    bulk = time.perf_counter() - began
    print(f"{result!s:45}{bulk:9.1f} s")
    counting = await cost_of_counting(resources.queues[BASE])
    print(f"{'to count one try':45}{counting * 1e6:9.1f} µs of processor time")
    with_indexes = await enqueue_rate(resources)
    async with without_indexes(resources):
        bare = await enqueue_rate(resources)
    again = await enqueue_rate(resources)
    print(f"{'enqueued, with / without / with the indexes':45}", end="")
    print(f"{with_indexes:,.0f} / {bare:,.0f} / {again:,.0f} jobs/s")
    return found["overview"] <= OVERVIEW_LIMIT and bulk <= BULK_LIMIT


def run(jobs: int, letters: int) -> bool:
    """Measure on separate servers. The migrations need their own event loop."""
    with own_servers() as ground:
        return asyncio.run(measure_on(ground, jobs, letters))


async def measure_on(ground: Ground, jobs: int, letters: int) -> bool:
    async with open_resources(ground.settings) as resources:
        return await measure(resources, jobs, letters)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.console", description=__doc__)
    parser.add_argument("--jobs", type=int, default=1_000_000, help="waiting jobs (1,000,000)")
    parser.add_argument("--letters", type=int, default=100_000, help="dead letters (100,000)")
    parser.add_argument("--tabs", action="store_true", help="measure open tabs only")
    options = parser.parse_args()
    met = tabs.run() if options.tabs else run(options.jobs, options.letters)
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
