"""The running jobs of a worker. Each is a task that ends with an outcome."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace

import structlog

from app.core.redis_connections.cancellation import cancel_all
from app.core.worker.claims import Claim, Claims, Outcome
from app.core.worker.engine.executor import Executor
from app.core.worker.engine.worker_info import Counters
from app.core.worker.execution.observers import LeaseLost

log = structlog.stdlib.get_logger("app.worker")

FAULT_MS = 1_000
"""The delay before the next try of a job that an error of the worker itself has stopped."""


class RunningJobs:
    """Runs claims and records their outcomes. `on_outcome` is called after each.

    While `is_stopping`, no job starts, and interrupted jobs are released.
    """

    def __init__(
        self,
        claims: Claims,
        executor: Executor,
        counters: Counters,
        *,
        on_outcome: Callable[[], None],
        is_stopping: Callable[[], bool],
    ) -> None:
        self._claims = claims
        self._executor = executor
        self._counters = counters
        self._on_outcome = on_outcome
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._is_stopping = is_stopping

    def start(self, claim: Claim) -> None:
        """Run a job, or release it if the worker stops."""
        self._claims.add(claim)
        if self._is_running(claim.job_id):
            log.warning("job.lease_renewed", job_id=claim.job_id, queue=self._executor.queue.name)
        elif self._is_stopping():
            self._record(Outcome(claim, "release"))
        else:
            self._counters.started += 1
            self._tasks[claim.job_id] = asyncio.create_task(self._run(claim))

    def cancel(self, job_id: str) -> None:
        """Cancel a job that an operator has canceled."""
        task, claim = self._tasks.get(job_id), self._claims.get(job_id)
        if task and claim and not claim.cancelled:
            claim.cancelled = True
            task.cancel()

    def release(self, claims: Iterable[Claim]) -> None:
        """Cancel the jobs that another worker has claimed, and drop their outcomes."""
        for claim in claims:
            if self._claims.release(claim):
                queue = self._executor.queue.name
                log.warning("job.lease_lost", job_id=claim.job_id, queue=queue)
                if task := self._tasks.get(claim.job_id):
                    task.cancel()

    async def cancel_all(self) -> None:
        """Cancel all running jobs, and record that jobs without an outcome are released."""
        if left := await cancel_all(self._tasks.values):
            log.error("jobs.cannot_be_cancelled", queue=self._executor.queue.name, count=left)
        for claim in self._claims.all():
            if not self._claims.has_outcome(claim.job_id):
                self._claims.record(Outcome(claim, "release"))

    def _is_running(self, job_id: str) -> bool:
        # A task that is canceled before its first step ends without a trace.
        task = self._tasks.get(job_id)
        return task is not None and not task.done()

    async def _run(self, claim: Claim) -> None:
        """Run a job, and record an outcome even after an error: its slot must become free."""
        outcome = Outcome(claim, "retry", FAULT_MS)
        try:
            outcome = await self._outcome_of(claim)
        except asyncio.CancelledError:
            outcome = self._interrupted(claim)
            raise
        except BaseException as error:
            log.exception("job.runtime_failed", job_id=claim.job_id, exc_info=error)
        finally:
            del self._tasks[claim.job_id]
            self._record(outcome)

    async def _outcome_of(self, claim: Claim) -> Outcome:
        try:
            return await self._executor.execute(claim)
        except asyncio.CancelledError:
            latest = self._claims.get(claim.job_id)
            if latest and latest.cancelled:
                return await self._executor.cancelled(latest)
            self._executor.interrupted(claim, None if latest else LeaseLost())
            return self._interrupted(claim)

    def _interrupted(self, claim: Claim) -> Outcome:
        if self._is_stopping():
            return Outcome(claim, "release")
        return Outcome(claim, "retry", FAULT_MS)

    def _record(self, outcome: Outcome) -> None:
        """Record an outcome for the next exchange, unless another worker has the job."""
        latest = self._claims.get(outcome.claim.job_id)
        if latest is None:
            return
        self._counters.count(outcome.kind)
        self._claims.record(outcome if latest is outcome.claim else replace(outcome, claim=latest))
        self._on_outcome()
