"""Workers of arq as it comes can serve our queues at any time."""

import time

import pytest

from tests.chaos.conftest import Seen
from tests.chaos.ground import Ground
from tests.chaos.jobs import Work
from tests.chaos.ledger import assert_once_each

STOCK_WORKER = ("-m", "arq", "tests.chaos.worker.WorkerSettings")
JOBS, BATCH = 10_000, 500


@pytest.mark.chaos
async def test_ten_thousand_jobs_are_shared_with_a_worker_of_stock_arq(
    ground: Ground, seen: Seen
) -> None:
    numbers = range(JOBS)
    began = time.monotonic()
    stock = await ground.start(*STOCK_WORKER)
    await stock.says("worker.started")
    ours = [await ground.start_worker() for _ in range(2)]
    for worker in (stock, *ours):
        worker.give_way()
    for first in range(0, JOBS, BATCH):
        await ground.send([Work(number=n) for n in range(first, first + BATCH)])

    effects = await ground.ledger.until("effects", numbers, within=360)
    shares = [sum(entry.pid == worker.pid for entry in effects) for worker in (*ours, stock)]
    starts = len(await ground.ledger.starts())
    seen(
        f"{len(effects)} effects and {starts} starts of {JOBS} jobs in "
        f"{time.monotonic() - began:.0f} s; ours did {shares[0]} and {shares[1]}, arq {shares[2]}"
    )
    assert_once_each(effects, numbers)
    assert_once_each(await ground.ledger.starts(), numbers)
    assert min(shares) > 0
