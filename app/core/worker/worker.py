"""arq's worker, staying when Redis goes."""

import asyncio
from signal import SIGUSR1, Signals
from uuid import UUID

import arq.worker
import structlog
from redis.exceptions import RedisError

from app.core.queue import KEY_PREFIX, Envelope
from app.core.redis import from_json
from app.core.resources import Resources
from app.core.worker.dead_letters import bury

log = structlog.stdlib.get_logger("app.worker")

PAUSE = 1.0
"""Seconds between two looks for a Redis that is away."""


CANCELLATIONS = 5


class Worker(arq.worker.Worker):
    """Waits for a Redis that is away, at the start and later, and says so once."""

    redis_away = False

    async def main(self) -> None:
        while True:
            try:
                await self.pool.ping()
                break
            except (RedisError, OSError) as error:
                await self._pause(error)
        self._note_redis_is_back()
        await super().main()

    async def _poll_iteration(self) -> None:
        try:
            await super()._poll_iteration()
            self._note_redis_is_back()
        except (RedisError, OSError) as error:
            await self._pause(error)
            self.return_slots()

    async def finish_job(  # noqa: PLR0913, PLR0917  arq's signature
        self,
        job_id: str,
        finish: bool,
        result_data: bytes | None,
        result_timeout_s: float | None,
        keep_result_forever: bool,
        incr_score: int | None,
        keep_in_progress: float | None,
    ) -> None:
        """Keep trying: what a job has done must not be done again because Redis was restarted."""
        while True:
            try:
                return await super().finish_job(
                    job_id,
                    finish,
                    result_data,
                    result_timeout_s,
                    keep_result_forever,
                    incr_score,
                    keep_in_progress,
                )
            except (RedisError, OSError) as error:
                await self._pause(error)

    async def finish_failed_job(self, job_id: str, result_data: bytes | None) -> None:
        """Bury a job that arq gives up: unknown, unreadable, or its worker died too often."""
        resources = self.ctx.get("resources")
        if isinstance(resources, Resources) and (
            letter := _letter(job_id, self._name, result_data)
        ):
            job, attempts, error = letter
            log.error("job.given_up", job=job.name, job_id=job_id, queue=self._name, error=error)
            await bury(resources, job, attempts, error)
        await super().finish_failed_job(job_id, result_data)

    def handle_sig_wait_for_completion(self, signum: Signals) -> None:
        log.info("worker.stopping", queue=self._name, running=len(self.tasks))
        super().handle_sig_wait_for_completion(signum)

    async def close(self) -> None:
        if not self._handle_signals:
            self.handle_sig(SIGUSR1)
        await self._end_jobs()
        try:
            await super().close()
        except (RedisError, OSError) as error:
            self._note_redis_is_away(error)
            if self.on_shutdown:
                await self.on_shutdown(self.ctx)

    @property
    def _name(self) -> str:
        return self.queue_name.removeprefix(KEY_PREFIX)

    async def _end_jobs(self) -> None:
        """Cancel what still runs, again and again: a library can swallow a cancellation.

        arq waits for ever where one was swallowed, and where none was, it raises it.
        """
        for _ in range(CANCELLATIONS):
            running = {*self.job_tasks.values(), *self.tasks.values()}
            if not running:
                break
            for task in running:
                task.cancel()
            await asyncio.wait(running, timeout=PAUSE)
            self.tasks = {id_: task for id_, task in self.tasks.items() if not task.done()}
        for job_id in self.tasks:
            log.error("job.cannot_be_cancelled", job_id=job_id, queue=self._name)
        self.tasks.clear()

    async def _pause(self, error: Exception) -> None:
        task = asyncio.current_task()
        if task and task.cancelling():
            # redis-py can turn a cancellation into an error of its connection.
            raise asyncio.CancelledError from error
        self._note_redis_is_away(error)
        await asyncio.sleep(PAUSE)

    def _note_redis_is_away(self, error: Exception) -> None:
        if not self.redis_away:
            log.warning("redis.away", queue=self._name, error=str(error))
        self.redis_away = True

    def _note_redis_is_back(self) -> None:
        if self.redis_away:
            log.info("redis.back", queue=self._name)
        self.redis_away = False

    def return_slots(self) -> None:
        """Give back the slots that arq took for jobs which the lost connection kept from starting.

        Otherwise every outage would leave the worker with fewer slots, and in the end with none.
        """
        running = sum(not task.done() for task in self.tasks.values())
        for _ in range(self.job_counter - running):
            self._release_sem_dec_counter_on_complete()


def _letter(job_id: str, queue: str, result_data: bytes | None) -> tuple[Envelope, int, str] | None:
    """Read what arq writes of a job that it gives up; None for an id that was never ours."""
    try:
        id_ = UUID(job_id)
    except ValueError:
        log.error("job.unknown_id", job_id=job_id, queue=queue)  # noqa: TRY400  nothing more is known
        return None
    stored = from_json(result_data) if result_data else {}
    arguments = stored.get("a") or [{}]
    payload = arguments[0] if isinstance(arguments[0], dict) else {"arguments": arguments}
    job = Envelope(
        id=id_, queue=queue, name=stored.get("f", "<unknown>"), payload=payload, request_id=None
    )
    error = stored.get("r")
    text = f"{error['error']}: {error['message']}" if isinstance(error, dict) else str(error)
    return job, int(stored.get("t", 0)), text
