"""Jobs as tasks, with an executor that a test controls."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from app.core.queue import BASE
from app.core.worker.claims import Claim, Claims, Outcome
from app.core.worker.engine.executor import Executor
from app.core.worker.engine.running_jobs import FAULT_MS, RunningJobs
from app.core.worker.engine.worker_info import Counters
from app.core.worker.execution.observers import LeaseLost

CLAIM = Claim("1", "w/1", b"", tries=1, crashes=0, claimed_ms=0)


class Scripted(Executor):
    def __init__(self, run: Callable[[], Awaitable[None]]) -> None:
        self.queue = BASE
        self.begun = 0
        self._run = run

    async def execute(self, claim: Claim) -> Outcome:
        self.begun += 1
        await self._run()
        return Outcome(claim, "succeeded")

    async def cancelled(self, claim: Claim) -> Outcome:
        raise LookupError(claim)

    def interrupted(self, claim: Claim, error: LeaseLost | None) -> None:
        pass


class Team:
    """Claims and their running jobs."""

    def __init__(self, run: Callable[[], Awaitable[None]]) -> None:
        self.claims = Claims(slots=10)
        self.executor = Scripted(run)
        self.ended = asyncio.Event()
        self.stopping = False
        self.jobs = RunningJobs(
            self.claims,
            self.executor,
            Counters(),
            on_outcome=self.ended.set,
            is_stopping=lambda: self.stopping,
        )

    async def outcome(self) -> Outcome:
        await self.ended.wait()
        [outcome] = self.claims.outcomes()
        return outcome


async def at_once() -> None:
    pass


async def forever() -> None:
    await asyncio.Event().wait()


async def test_a_job_that_was_lost_before_its_first_step_runs_when_it_comes_back() -> None:
    team = Team(at_once)
    team.jobs.start(CLAIM)
    team.jobs.release([CLAIM])
    await asyncio.sleep(0)

    again = replace(CLAIM, token="w/2")
    team.jobs.start(again)

    assert await team.outcome() == Outcome(again, "succeeded")
    assert team.executor.begun == 1


@pytest.mark.parametrize("error", [RuntimeError("broken"), SystemExit(3), GeneratorExit()])
async def test_an_error_around_a_handler_frees_the_slot_of_its_job(
    error: BaseException,
) -> None:
    async def fail() -> None:
        raise error

    team = Team(fail)
    team.jobs.start(CLAIM)

    assert await team.outcome() == Outcome(CLAIM, "retry", FAULT_MS)


async def test_a_job_that_cannot_be_recorded_as_canceled_frees_its_slot() -> None:
    team = Team(forever)
    claim = replace(CLAIM)
    team.jobs.start(claim)
    await asyncio.sleep(0)

    team.jobs.cancel(claim.job_id)

    assert await team.outcome() == Outcome(claim, "retry", FAULT_MS)


async def test_a_job_that_cancels_itself_is_not_tried_again_at_once() -> None:
    async def cancel_itself() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)

    team = Team(cancel_itself)
    team.jobs.start(CLAIM)

    assert await team.outcome() == Outcome(CLAIM, "retry", FAULT_MS)


async def test_jobs_that_do_not_end_in_time_are_released() -> None:
    team = Team(forever)
    team.jobs.start(CLAIM)
    await asyncio.sleep(0)
    team.stopping = True

    await team.jobs.cancel_all()

    assert await team.outcome() == Outcome(CLAIM, "release")
