"""Stock arq workers can serve the queues at any time."""

import time

import pytest

from tests.chaos.deployment import Deployment
from tests.chaos.jobs import Work
from tests.chaos.ledger import assert_once_each
from tests.support.reports import Report

STOCK_WORKER = ("-m", "arq", "tests.chaos.worker.WorkerSettings")
JOBS, BATCH = 10_000, 500


@pytest.mark.chaos
async def test_our_workers_share_ten_thousand_jobs_with_a_stock_arq_worker(
    deployment: Deployment, report: Report
) -> None:
    numbers = range(JOBS)
    began = time.monotonic()
    stock = await deployment.start(*STOCK_WORKER)
    await stock.wait_for_output("worker.started")
    ours = [await deployment.start_worker() for _ in range(2)]
    for worker in (stock, *ours):
        worker.lower_priority()
    for first in range(0, JOBS, BATCH):
        await deployment.send([Work(number=n) for n in range(first, first + BATCH)])

    effects = await deployment.ledger.wait_for("effects", numbers, within=360)
    shares = [sum(entry.pid == worker.pid for entry in effects) for worker in (*ours, stock)]
    starts = len(await deployment.ledger.starts())
    report(
        f"{len(effects)} effects and {starts} starts of {JOBS} jobs in "
        f"{time.monotonic() - began:.0f} s; ours did {shares[0]} and {shares[1]}, arq {shares[2]}"
    )
    assert_once_each(effects, numbers)
    assert_once_each(await deployment.ledger.starts(), numbers)
    assert min(shares) > 0
