"""The clocks of the machines are corrected by more than a day."""

import asyncio
import itertools
import time
from pathlib import Path

import pytest

from tests.chaos.clock import Clock
from tests.chaos.deployment import Deploy
from tests.chaos.jobs import Work
from tests.chaos.ledger import assert_once_each
from tests.support.reports import Report

pytestmark = pytest.mark.chaos

STALLED = 10.0


@pytest.mark.parametrize("everywhere", [True, False], ids=["everywhere", "redis-alone"])
async def test_waiting_jobs_run_although_the_clock_jumps(
    deploy: Deploy, tmp_path: Path, report: Report, everywhere: bool
) -> None:
    clock, numbers = Clock(tmp_path / "clock"), range(300)
    jumping = clock.variables()
    async with deploy(
        variables=jumping if everywhere else {}, redis_variables=jumping
    ) as deployment:
        for _ in range(2):
            await deployment.start_worker(concurrency=5)
        await deployment.send([Work(number=n, seconds=1) for n in numbers])
        with deployment.redis.client() as client:
            jumps = []
            for hours in (25, 23):
                await asyncio.sleep(8 + deployment.rng.uniform(0, 1))
                clock.show(hours)
                await asyncio.sleep(0)
                shown, _ = client.time()
                jumps.append(round((shown - time.time()) / 3600))

        effects = await deployment.ledger.wait_for("effects", numbers, within=90)
        gaps = [later.at - earlier.at for earlier, later in itertools.pairwise(effects)]
        starts = await deployment.ledger.starts()
        report(
            f"{len(effects)} effects of 300 jobs in {len(starts)} starts; "
            f"the longest pause {max(gaps):.1f} s"
        )
        assert jumps == [25, 23]
        assert_once_each(effects, numbers)
        assert max(gaps) <= STALLED
