"""Workers die, freeze, or hang while they hold jobs."""

import asyncio
import math
import signal
import time

import pytest
from sqlalchemy import text

from app.core.worker.engine.leases import LEASE
from tests.chaos.deployment import Deployment
from tests.chaos.jobs import Block, Bomb, Work
from tests.chaos.ledger import assert_once_each
from tests.support.reports import Report

pytestmark = pytest.mark.chaos

BACK_WITHIN = 20.0
"""Seconds after a crash within which the jobs of a dead worker must run again."""

LETTER = text("SELECT error, crashes FROM outbox WHERE failed_at IS NOT NULL")


async def test_two_hundred_jobs_survive_five_killed_workers(
    each_engine: Deployment, report: Report
) -> None:
    deployment, seconds, concurrency = each_engine, 2, 3
    team = [await deployment.start_worker(concurrency=concurrency) for _ in range(8)]
    await deployment.send([Work(number=n, seconds=seconds) for n in range(200)])

    for _ in range(5):
        await asyncio.sleep(3)
        await team.pop(deployment.rng.randrange(len(team))).kill()
    killed_at = time.time()
    left = 200 - len(await deployment.ledger.effects())
    bar = BACK_WITHIN + math.ceil(left / (len(team) * concurrency)) * seconds

    effects = await deployment.ledger.wait_for("effects", range(200), within=bar + 5)
    took = effects[-1].at - killed_at
    starts = len(await deployment.ledger.starts())
    report(
        f"{len(effects)} effects of 200 jobs in {starts} starts, {left} of them after the last "
        f"kill; the last {took:.1f} s after it, allowed {bar:.0f} s"
    )
    assert_once_each(effects, range(200))
    assert took <= bar


async def test_a_job_that_kills_its_worker_harms_no_other_job(
    each_engine: Deployment, report: Report
) -> None:
    deployment, bomb, innocent = each_engine, 0, range(1, 10)
    worker = await deployment.start_worker()
    jobs = [Work(number=n, seconds=2) for n in innocent]
    await deployment.send([*jobs[:4], Bomb(number=bomb, seconds=0.5), *jobs[4:]])

    crashes, deadline = 0, time.monotonic() + 90
    while time.monotonic() < deadline:
        if not worker.is_running:
            crashes += 1
            worker = await deployment.start_worker(wait=False)
        letters = await dead_letters(deployment)
        effects = await deployment.ledger.effects()
        if letters and len(effects) >= len(innocent):
            break
        await asyncio.sleep(0.1)
    # A wrong worker would give the job a last try now.
    await asyncio.sleep(5)

    effects = await deployment.ledger.effects()
    report(f"{crashes} crashes, {len(effects)} of 9 effects, dead letters: {letters}")
    assert_once_each(effects, innocent)
    assert worker.is_running
    assert crashes <= 3
    assert len(letters) == 1
    assert "the worker died 3 times while this job ran" in letters[0]


async def test_a_worker_that_was_frozen_for_three_leases_has_lost_its_jobs(
    each_engine: Deployment, report: Report
) -> None:
    deployment, numbers = each_engine, range(10)
    frozen = await deployment.start_worker()
    # Some jobs are frozen during their work, others inside the transaction of their effect.
    # None may end before it is frozen, and none may hold its transaction until PostgreSQL ends it.
    await deployment.send([Work(number=n, seconds=6, hold=5.5 * (n % 2)) for n in numbers])
    await deployment.ledger.wait_for("starts", numbers)
    await asyncio.sleep(1 + deployment.rng.uniform(0, 1))
    frozen.send(signal.SIGSTOP)
    other = await deployment.start_worker()
    await asyncio.sleep(3 * LEASE)
    in_time = await deployment.ledger.effects()
    frozen.send(signal.SIGCONT)
    await asyncio.sleep(6)

    effects, starts = await deployment.ledger.effects(), await deployment.ledger.starts()
    late = len(effects) - len(in_time)
    report(
        f"{len(starts)} starts, {len(in_time)} effects while it was frozen, {late} more after it"
    )
    assert {entry.pid for entry in starts} == {frozen.pid, other.pid}
    assert_once_each(effects, numbers)
    assert {entry.pid for entry in effects} == {other.pid}
    assert frozen.is_running


async def test_a_job_that_blocks_its_worker_for_two_leases_is_not_started_again(
    deployment: Deployment, report: Report
) -> None:
    for _ in range(2):
        await deployment.start_worker()
    await deployment.send([Block(number=0, seconds=2 * LEASE)])
    effects = await deployment.ledger.wait_for("effects", [0], within=3 * LEASE)
    # Wait until another worker would have started the job.
    await asyncio.sleep(3)

    starts = await deployment.ledger.starts()
    report(
        f"{len(starts)} start, {len(effects)} effect, by a job that blocked for {2 * LEASE:.0f} s"
    )
    assert_once_each(starts, [0])
    assert_once_each(effects, [0])


async def dead_letters(deployment: Deployment) -> list[str]:
    async with deployment.resources.database.engine.connect() as connection:
        return [row.error for row in await connection.execute(LETTER)]
