"""Several workers with the same cron, one of which dies at the time of a tick."""

import asyncio
import time
from uuid import UUID

import pytest

from tests.chaos.cron_worker import EVERY
from tests.chaos.deployment import Deployment
from tests.chaos.ledger import Entry
from tests.support.reports import Report

CRON_WORKER = ("-m", "tests.chaos.cron_worker")
AFTER_A_CRASH = 20.0


@pytest.mark.chaos
async def test_each_cron_tick_runs_once_whichever_worker_dies(
    deployment: Deployment, report: Report
) -> None:
    team = [await deployment.start(*CRON_WORKER) for _ in range(3)]
    for worker in team:
        await worker.wait_for_output(deployment.engine.at_work)
    # A worker may start its crons shortly after it says that it has started.
    first = int(time.time() / EVERY) + 2

    # Four ticks, then a worker dies at about the time of a tick and starts again.
    await asyncio.sleep(4 * EVERY)
    unlucky = deployment.rng.randrange(len(team))
    await asyncio.sleep(EVERY - time.time() % EVERY + deployment.rng.uniform(0, 0.15))
    await team[unlucky].kill()
    await asyncio.sleep(2 * EVERY)
    await deployment.start(*CRON_WORKER)
    await asyncio.sleep(2 * EVERY)
    last = int(time.time() / EVERY)

    expected = range(first, last + 1)
    ticks: list[Entry] = []
    deadline = time.monotonic() + AFTER_A_CRASH
    while time.monotonic() < deadline:
        effects = await deployment.ledger.effects()
        ticks = [entry for entry in effects if tick_of(entry) in expected]
        if {tick_of(entry) for entry in ticks} >= {*expected}:
            break
        await asyncio.sleep(0.2)
    report(f"{len(ticks)} effects of {len(expected)} ticks of three workers, one killed")
    counted = [tick_of(entry) for entry in ticks]
    assert sorted(counted) == [*expected]


def tick_of(entry: Entry) -> int:
    """Return the tick of a job: its id, a UUIDv7, begins with the time."""
    return (UUID(entry.job_id).int >> 80) // (1000 * EVERY)
