"""Workers are told to stop while they have jobs."""

import time
from signal import SIGTERM

import pytest

from tests.chaos.deployment import Deployment
from tests.chaos.jobs import Work
from tests.chaos.ledger import assert_once_each
from tests.support.reports import Report

IN_TIME = 3.0
"""Seconds that an exit may take after a grace period that is too short."""


async def test_a_worker_that_is_told_to_stop_lets_its_jobs_finish(
    deployment: Deployment, report: Report
) -> None:
    numbers = range(10)
    worker = await deployment.start_worker()
    await deployment.send([Work(number=n, seconds=2) for n in numbers])
    await deployment.ledger.wait_for("starts", numbers)
    worker.send(SIGTERM)
    told_at = time.monotonic()
    code = await worker.wait_for_exit()
    took = time.monotonic() - told_at

    effects, starts = await deployment.ledger.effects(), await deployment.ledger.starts()
    report(f"exit {code} after {took:.1f} s, {len(starts)} starts, {len(effects)} effects of 10")
    assert code == 0
    assert_once_each(starts, numbers)
    assert_once_each(effects, numbers)


@pytest.mark.chaos
async def test_a_worker_with_a_short_grace_period_hands_its_jobs_over(
    deployment: Deployment, report: Report
) -> None:
    numbers, grace = range(10), 2
    hasty = deployment.settings.model_copy(update={"worker_grace_period": grace})
    worker = await deployment.start_worker(settings=hasty)
    await deployment.send([Work(number=n, seconds=60) for n in numbers])
    await deployment.ledger.wait_for("starts", numbers)
    other = await deployment.start_worker()
    worker.send(SIGTERM)
    told_at = time.time()
    code = await worker.wait_for_exit(within=30)
    took = time.time() - told_at

    effects = await deployment.ledger.wait_for("effects", numbers, within=90)
    starts = await deployment.ledger.starts()
    again = [entry for entry in starts if entry.pid == other.pid]
    pause = max((entry.at for entry in again), default=0) - told_at - grace
    report(
        f"exit {code} after {took:.1f} s with {grace} s of grace; all 10 began anew "
        f"{pause:.1f} s after that; tries {[entry.attempt for entry in again]}; "
        f"{len(effects)} effects"
    )
    assert code == 0
    assert took <= grace + IN_TIME
    assert_once_each(again, numbers)
    assert len(starts) == 2 * len(numbers)
    assert {entry.attempt for entry in starts} == {1}
    assert_once_each(effects, numbers)
