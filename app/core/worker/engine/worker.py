"""The worker of a queue, which claims jobs, runs them, and sends their outcomes."""

import asyncio
import time
from dataclasses import replace
from signal import Signals

import structlog
from redis import Redis
from redis.exceptions import RedisError

from app.core.broker.probe import probe
from app.core.redis import open_client, open_pool
from app.core.redis_connections.cancellation import raise_if_cancelled
from app.core.worker.claims import Claim, Claims, Outcome
from app.core.worker.engine.executor import Executor
from app.core.worker.engine.heartbeat import Heartbeat, sending
from app.core.worker.engine.leases import LEASE, Leases, Reply
from app.core.worker.engine.outage import Outage
from app.core.worker.engine.running_jobs import RunningJobs
from app.core.worker.engine.wakeup import Listener, Wakeup
from app.core.worker.engine.worker_info import Capabilities, Counters, new_worker_id, worker_info
from app.core.worker.execution.postponements import Postponements
from app.core.worker.settings import WorkerSettings

log = structlog.stdlib.get_logger("app.worker")

RETRIES = 3
"""Retries of one Redis command within half a second, so that a short outage has no effect."""

MIN_STALL = 60.0
"""In seconds. A worker counts as stuck if its loop is blocked for this long, or for the timeout of
its longest job if that is longer, and for one more lease."""

MAX_WAIT = 1.0
"""Seconds between two claims of a worker without a wakeup."""

LISTEN_FRACTION = 0.75
"""The fraction of Redis's timeout that one wait for a token may take."""


class Worker:
    """Runs the jobs of one queue.

    With `burst`, it ends when the queue is empty or `max_burst_jobs` have started.
    """

    def __init__(
        self, settings: WorkerSettings, *, burst: bool = False, max_burst_jobs: int | None = None
    ) -> None:
        self._settings = settings
        self._queue = settings.queue
        self._burst, self._max_burst_jobs = burst, max_burst_jobs
        self._redis = open_pool(self._queue, settings.settings, retries=RETRIES)
        self._worker_id = new_worker_id()
        self._leases = Leases(self._redis, self._worker_id)
        self._claims = Claims(settings.max_jobs)
        self._wakeup = Wakeup()
        self._listener = Listener(self._leases, self._wakeup)
        self._outage = Outage(self._queue.name)
        self._counters = Counters()
        timeout = settings.settings.redis_timeout
        self._max_listen = min(MAX_WAIT, timeout * LISTEN_FRACTION)
        self._next_due: float | None = None
        self._accepting = True
        self._stop_now = False
        self._cycle_started = time.monotonic()
        timeouts = [each.job.timeout for each in settings.definitions]
        self._capabilities = Capabilities(settings.definitions, settings.crons)
        self._stuck_after = max([MIN_STALL, *timeouts]) + LEASE

    async def run(self) -> None:
        """Work until `stop` is called or the task is canceled."""
        self._loop = asyncio.get_running_loop()
        try:
            await self._wait_for_redis()
            if self._accepting:
                await self._serve()
        finally:
            await self._redis.aclose(close_connection_pool=True)

    def stop(self, signal: Signals) -> None:
        """Claim no further job. A second call ends the wait for the running jobs."""
        self._stop_now = not self._accepting
        self._accepting = False
        busy = self._claims.busy
        log.info("worker.stopping", queue=self._queue.name, signal=signal.name, running=busy)
        self._wakeup.notify()

    async def _serve(self) -> None:
        await self._recall_postponed()
        async with self._settings.serving() as resources:
            executor = Executor(
                self._queue,
                {each.name: each for each in self._settings.definitions},
                resources,
                self._settings.observers,
                result_ttl=self._settings.keep_result,
            )
            self._jobs = RunningJobs(
                self._claims,
                executor,
                self._counters,
                on_outcome=self._wakeup.notify,
                is_stopping=lambda: not self._accepting,
            )
            with open_client(self._queue, self._settings.settings) as client:
                async with sending(self._heartbeat(client)):
                    await self._work()

    async def _work(self) -> None:
        try:
            while self._accepting and not await self._is_burst_over():
                await self._run_cycle(MAX_WAIT)
            await self._wait_for_jobs()
        finally:
            await self._release_jobs()

    async def _run_cycle(self, max_wait: float) -> None:
        """Send outcomes, claim due jobs, and wait for more of either."""
        raise_if_cancelled()
        self._cycle_started = time.monotonic()
        self._wakeup.clear()
        try:
            await self._exchange()
        except (RedisError, OSError) as error:
            await self._outage.pause(error)
            return
        self._outage.end()
        if not await self._is_over():
            await self._wait(max_wait)

    async def _exchange(self) -> None:
        """Start the jobs that the listener has claimed, then send the outcomes and claim more."""
        if self._listener.is_listening and self._is_due():
            await self._listener.interrupt()
        heard = self._listener.take()
        if heard:
            self._handle(heard)
        outcomes = self._claims.outcomes()
        if self._listener.is_listening:
            await self._finish(outcomes)
        elif heard is None or outcomes or (self._is_due() and self._free_slots()):
            await self._finish_and_claim(outcomes)

    async def _finish_and_claim(self, outcomes: list[Outcome]) -> None:
        if outcomes and self._outage.is_ongoing:
            # If this reply is lost, too, it must not contain jobs: they would wait for 15 s.
            await self._finish(outcomes)
            outcomes = []
        claims, free = self._claims, self._free_slots()
        reply = await self._leases.exchange(outcomes, free=free, busy=claims.busy, solo=claims.solo)
        claims.acknowledge(outcomes)
        self._log_refused(reply.refused)
        self._handle(reply if free else replace(reply, solo=claims.solo))

    async def _finish(self, outcomes: list[Outcome]) -> None:
        refused = await self._leases.finish(outcomes)
        self._claims.acknowledge(outcomes)
        self._log_refused(refused)

    async def _wait(self, max_wait: float) -> None:
        """Wait for a notification, and listen to the queue if this worker can run another job."""
        until_due = None if self._next_due is None else self._next_due - self._loop.time()
        if not self._may_listen():
            free = self._free_slots()
            seconds = max_wait if until_due is None or not free else until_due
            await self._wakeup.wait(min(max_wait, seconds))
        elif until_due is None or until_due > self._max_listen:
            self._listen(self._max_listen)
            await self._wakeup.wait(None)  # the end of listening is a notification
        elif until_due > 0:
            self._listen(self._max_listen)
            await self._wakeup.wait(until_due)

    def _may_listen(self) -> bool:
        listening = self._listener.is_listening
        idle = not self._burst and self._claims.solo is None and self._free_slots() > 0
        return self._accepting and (listening or idle)

    def _listen(self, seconds: float) -> None:
        free, busy = self._free_slots(), self._claims.busy
        self._listener.start(free=free, busy=busy, seconds=seconds)

    def _is_due(self) -> bool:
        return self._next_due is not None and self._next_due <= self._loop.time()

    def _free_slots(self) -> int:
        if not self._accepting:
            return 0
        if self._max_burst_jobs is not None:
            return min(self._claims.free, self._max_burst_jobs - self._counters.started)
        return self._claims.free

    def _handle(self, reply: Reply) -> None:
        self._next_due = None if reply.next_due is None else self._loop.time() + reply.next_due
        if not self._claims.has_solo():
            self._claims.solo = reply.solo
        for claim in reply.claims:
            claim.cancelled = claim.job_id in reply.cancelled
            self._jobs.start(claim)
        for job_id in reply.cancelled:
            self._jobs.cancel(job_id)

    def _log_refused(self, job_ids: list[str]) -> None:
        for job_id in job_ids:
            log.warning("job.outcome_refused", job_id=job_id, queue=self._queue.name)

    async def _wait_for_jobs(self) -> None:
        await self._stop_listening()
        deadline = self._loop.time() + self._settings.job_completion_wait
        while len(self._claims) and not self._stop_now:
            left = deadline - self._loop.time()
            if left <= 0:
                break
            await self._run_cycle(min(MAX_WAIT, left))

    async def _release_jobs(self) -> None:
        """Cancel and release the running jobs, so that other workers can start them at once."""
        await self._stop_listening()
        await self._jobs.cancel_all()
        outcomes = self._claims.outcomes()
        try:
            self._log_refused(await self._leases.finish(outcomes))
        except (RedisError, OSError) as error:
            count, queue = len(outcomes), self._queue.name
            log.warning("jobs.not_handed_over", queue=queue, count=count, error=str(error))

    async def _stop_listening(self) -> None:
        self._accepting = False
        if reply := await self._listener.close():
            self._handle(reply)

    async def _is_over(self) -> bool:
        if self._accepting:
            return await self._is_burst_over()
        return not len(self._claims)

    async def _is_burst_over(self) -> bool:
        if not self._burst or len(self._claims):
            return False
        if self._max_burst_jobs is not None and self._counters.started >= self._max_burst_jobs:
            return True
        return not await self._redis.zcard(self._redis.queue_keys.queue)

    def _heartbeat(self, client: Redis) -> Heartbeat:
        def info() -> bytes:
            return worker_info(
                self._claims.all(),
                self._counters,
                self._capabilities,
                concurrency=self._settings.max_jobs,
            )

        def on_lost(claims: list[Claim]) -> None:
            self._loop.call_soon_threadsafe(self._jobs.release, claims)

        return Heartbeat(
            client,
            keys=self._redis.queue_keys,
            worker_id=self._worker_id,
            claims=self._claims.all,
            worker_info=info,
            on_lost=on_lost,
            is_stuck=lambda: time.monotonic() - self._cycle_started > self._stuck_after,
        )

    async def _recall_postponed(self) -> None:
        """Make jobs due that a worker of an earlier release has postponed."""
        try:
            await Postponements(self._redis).recall()
        except (RedisError, OSError) as error:
            await self._outage.pause(error)  # the jobs are still due after their delay

    async def _wait_for_redis(self) -> None:
        while self._accepting:
            raise_if_cancelled()
            try:
                await probe(self._redis)
            except (RedisError, OSError) as error:
                await self._outage.pause(error)
            else:
                self._outage.end()
                return
