"""arq's worker, with leases and a doorbell instead of polling."""

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from signal import Signals
from typing import Any

import arq.worker
import structlog
from arq.utils import timestamp_ms, to_ms
from arq.worker import get_kwargs
from redis import Redis
from redis.exceptions import RedisError

from app.core.redis import open_client, open_pool
from app.core.worker.cancellation import cancel_all, heed_cancellation
from app.core.worker.claimed_jobs import ClaimedJobs
from app.core.worker.claims import Claim, Claims, Ending, Outcome
from app.core.worker.description import describe_worker, new_worker_id
from app.core.worker.doorbell import LONGEST_WAIT, Doorbell
from app.core.worker.given_up import CRASHES, bury_crashed, bury_given_up
from app.core.worker.heartbeat import Heart, beating
from app.core.worker.lease import Leases, Reply
from app.core.worker.outage import Outage
from app.core.worker.settings import WorkerSettings

log = structlog.stdlib.get_logger("app.worker")

RETRIES = 3
"""Further tries of one Redis command within half a second: a hiccup passes unnoticed."""

UNBURIED_MS, FAULT_MS = 30_000, 1_000
"""Until the next try of a job that could not be buried, and of one that our own fault stopped."""


class Worker(arq.worker.Worker):
    """Runs arq's `run_job` for what it has claimed, and gives back what became of it.

    `options` are further arguments of arq's Worker.
    """

    def __init__(self, worker_settings: WorkerSettings, **options: float) -> None:
        self._queue, self._settings = worker_settings.queue, worker_settings.settings
        self._redis = open_pool(self._queue, self._settings, retries=RETRIES)
        self._claims = Claims(worker_settings.max_jobs)
        self._worker_id = new_worker_id()
        self._leases = Leases(self._redis, self._worker_id)
        self._doorbell = Doorbell(self._redis, timeout=self._settings.redis_timeout)
        self._outage = Outage(self._queue.name)
        self._hurried = False
        pool = ClaimedJobs(self._redis, self._claims)
        arguments: dict[str, Any] = {**get_kwargs(vars(worker_settings)), **options}
        super().__init__(**{**arguments, "redis_pool": pool})
        self._noted = self.loop.create_future()
        self._noted.set_result(None)
        # Every handler has a timer of its own; arq's comes later and would only be set and unset.
        self.functions = {
            name: replace(each, timeout_s=None) for name, each in self.functions.items()
        }
        self.job_timeout_s = None  # type: ignore[assignment]

    async def main(self) -> None:
        await self._wait_for_redis()
        self.ctx |= {"redis": self._redis, "claims": self._claims}
        if self.on_startup:
            await self.on_startup(self.ctx)
        with open_client(self._queue, self._settings) as client:
            async with beating(self._heart(client)):
                try:
                    while self.allow_pick_jobs and not await self._burst_is_over():
                        await self._turn()
                    await self._let_jobs_finish()
                finally:
                    await self._hand_over()

    def handle_sig_wait_for_completion(self, signum: Signals) -> None:
        """Take nothing new from now on. A second signal ends the wait for what runs."""
        self._hurried = not self.allow_pick_jobs
        self.allow_pick_jobs = False
        busy = self._claims.busy
        log.info("worker.stopping", queue=self._queue.name, signal=signum.name, running=busy)
        self._doorbell.ring()

    handle_sig = handle_sig_wait_for_completion

    async def close(self) -> None:
        if self.main_task:
            if not self.main_task.cancelling():  # a second one would interrupt the handing over
                self.main_task.cancel()
            await asyncio.wait({self.main_task})
        if self.on_shutdown:
            await self.on_shutdown(self.ctx)
        await self._redis.aclose(close_connection_pool=True)

    def finish_job(  # type: ignore[override]  # noqa: PLR0913, PLR0917  arq's signature
        self,
        job_id: str,
        finish: bool,
        result_data: bytes | None,
        result_timeout_s: float | None,
        keep_result_forever: bool,  # noqa: ARG002
        incr_score: int | None,
        keep_in_progress: float | None,  # noqa: ARG002
    ) -> asyncio.Future[None]:
        """Note what became of a job; the next exchange tells Redis of many at once.

        There is nothing to wait for, and a coroutine would cost arq one more task a job.
        """
        if (claim := self._claims.get(job_id)) is None:
            return self._noted  # somebody else holds it, which has been said
        if finish and claim.ending:
            self._end(claim, claim.ending, result_data, result_timeout_s)
        elif finish:
            return asyncio.ensure_future(self.finish_failed_job(job_id, result_data))
        elif incr_score:
            # arq adds the pause to the score that the job was claimed with.
            pause = incr_score - (timestamp_ms() - claim.claimed_ms)
            self._note(Outcome(claim, "retry", max(0, pause)))
        else:
            self._note(Outcome(claim, "retry" if self.allow_pick_jobs else "release"))
        return self._noted

    async def finish_failed_job(self, job_id: str, result_data: bytes | None) -> None:
        """Bury a job that arq gives up: unknown, unreadable, misaddressed, or tried too often."""
        if (claim := self._claims.get(job_id)) is None:
            return
        claim.ending = "failed"
        if await bury_given_up(self.ctx["resources"], self._queue, claim, result_data):
            self._end(claim, claim.ending, result_data, self.keep_result_s)
        else:
            self._note(Outcome(claim, "retry", UNBURIED_MS))

    async def _turn(self, longest_wait: float = LONGEST_WAIT) -> None:
        """Exchange what is done for what is due, then wait until there is more of either."""
        heed_cancellation()
        self._doorbell.quieten()
        claims = self._claims
        outcomes, free = claims.outcomes(), self._free_slots()
        try:
            reply = await self._leases.exchange(
                outcomes, free=free, busy=claims.busy, wanted=claims.alone
            )
            await self.record_health()
        except (RedisError, OSError) as error:
            await self._outage.pause(error)
            return
        self._outage.is_over()
        claims.settle(outcomes)
        if free and not claims.holds_alone():
            claims.alone = reply.alone
        self._act_on(reply)
        if not len(claims) and (self.burst or not self.allow_pick_jobs):
            return
        listening = self._free_slots() > 0
        if listening and reply.next_due is not None:
            longest_wait = min(longest_wait, reply.next_due)
        await self._doorbell.wait(longest_wait, listening=listening)

    def _free_slots(self) -> int:
        if not self.allow_pick_jobs:
            return 0
        if self.burst and self.max_burst_jobs >= 0:
            return min(self._claims.free, self.max_burst_jobs - self._jobs_started())
        return self._claims.free

    def _act_on(self, reply: Reply) -> None:
        for claim in reply.claims:
            self._begin(claim)
        for job_id in reply.cancelled:
            self._cancel(job_id)
        for job_id in reply.refused:
            log.warning("job.outcome_refused", job_id=job_id, queue=self._queue.name)

    def _begin(self, claim: Claim) -> None:
        self._claims.hold(claim)
        if claim.job_id in self.job_tasks:
            log.warning("job.lease_renewed", job_id=claim.job_id, queue=self._queue.name)
        elif not self.allow_pick_jobs:
            self._note(Outcome(claim, "release"))
        else:
            work = self._give_up(claim) if claim.crashes >= CRASHES else self._run(claim)
            self.tasks[claim.job_id] = task = self.loop.create_task(work)
            task.add_done_callback(lambda task: self._ended(claim, task))

    def _run(self, claim: Claim) -> Coroutine[Any, Any, None]:
        return self.run_job(claim.job_id, claim.claimed_ms)

    async def _give_up(self, claim: Claim) -> None:
        claim.ending = "failed"
        buried = await bury_crashed(self.ctx["resources"], self._queue, claim)
        self._note(Outcome(claim, "failed") if buried else Outcome(claim, "retry", UNBURIED_MS))

    def _ended(self, claim: Claim, task: asyncio.Task[None]) -> None:
        if self.tasks.get(claim.job_id) is task:
            del self.tasks[claim.job_id]
        if not task.cancelled() and (error := task.exception()):
            log.error("job.runtime_failed", job_id=claim.job_id, exc_info=error)
            if not self._claims.has_outcome(claim.job_id):
                self._note(Outcome(claim, "retry", FAULT_MS))

    def _end(
        self, claim: Claim, ending: Ending, result: bytes | None, lifetime: float | None
    ) -> None:
        milliseconds = to_ms(lifetime) if result and lifetime else None
        self._note(Outcome(claim, ending, milliseconds or 0, result or b""))

    def _note(self, outcome: Outcome) -> None:
        self._claims.note(outcome)
        self._doorbell.ring()

    def _cancel(self, job_id: str) -> None:
        task = self.job_tasks.get(job_id)
        claim = self._claims.get(job_id)
        if task and claim and job_id not in self.aborting_tasks:
            claim.ending = "cancelled"
            self.aborting_tasks.add(job_id)
            task.cancel()

    def _lose(self, claims: list[Claim]) -> None:
        for claim in claims:
            if self._claims.lose(claim):
                log.warning("job.lease_lost", job_id=claim.job_id, queue=self._queue.name)
                if task := self.job_tasks.get(claim.job_id):
                    task.cancel()

    async def _let_jobs_finish(self) -> None:
        deadline = self.loop.time() + self._job_completion_wait
        while len(self._claims) and not self._hurried:
            left = deadline - self.loop.time()
            if left <= 0:
                break
            await self._turn(min(LONGEST_WAIT, left))

    async def _hand_over(self) -> None:
        """Stop what still runs and give it back, so that others can begin it at once."""
        self.allow_pick_jobs = False
        await self._doorbell.close()
        if left := await cancel_all(lambda: [*self.job_tasks.values(), *self.tasks.values()]):
            log.error("jobs.cannot_be_cancelled", queue=self._queue.name, count=left)
        for claim in self._claims.held():
            if not self._claims.has_outcome(claim.job_id):
                self._claims.note(Outcome(claim, "release"))
        if outcomes := self._claims.outcomes():
            try:
                await self._leases.give_back(outcomes)
            except (RedisError, OSError) as error:
                count, queue = len(outcomes), self._queue.name
                log.warning("jobs.not_handed_over", queue=queue, count=count, error=str(error))

    async def _burst_is_over(self) -> bool:
        if not self.burst or len(self._claims):
            return False
        enough = 0 <= self.max_burst_jobs <= self._jobs_started()
        return enough or not await self._redis.zcard(self._queue.key)

    def _heart(self, client: Redis) -> Heart:
        def describe() -> bytes:
            return describe_worker(
                self._claims.held(),
                concurrency=self.max_jobs,
                succeeded=self.jobs_complete,
                failed=self.jobs_failed,
                retried=self.jobs_retried,
            )

        def lose(claims: list[Claim]) -> None:
            self.loop.call_soon_threadsafe(self._lose, claims)

        return Heart(
            client,
            queue=self._queue.key,
            worker_id=self._worker_id,
            held=self._claims.held,
            describe=describe,
            on_lost=lose,
        )

    async def _wait_for_redis(self) -> None:
        while True:
            heed_cancellation()
            try:
                await self._redis.ping()
            except (RedisError, OSError) as error:
                await self._outage.pause(error)
            else:
                self._outage.is_over()
                return
