"""Watches jobs, with one subscription per queue and one reader for all watched jobs of a process.

An event says only which jobs have changed. Their state is then read from its one source. A lost
event delays a state until the next poll, which reads all watched jobs at once.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import Context
from uuid import UUID

import structlog

from app.core.control.lookup import find_jobs
from app.core.database import Sessions
from app.core.job_events.subscription import Ids, Subscription
from app.core.job_events.watch import JobWatch
from app.core.job_store.record import JobRecord
from app.core.queue import Queue, QueuePools
from app.core.redis_connections.cancellation import raise_if_cancelled

log = structlog.stdlib.get_logger("app.events")

COALESCE = 0.05
"""Seconds between two reads. The jobs that change in this time are read together."""

POLL = 10.0
"""Seconds between two reads of all watched jobs, in case an event was lost."""

POLL_WITHOUT_EVENTS = 2.0
"""The same while there is no subscription to a queue's Redis."""

LINGER = 30.0
"""Seconds for which the subscriptions stay open after the last watch."""


class JobEvents:
    """The jobs that this process watches.

    Use it as `with events.watch(job) as watch: async for state in watch`.
    """

    def __init__(self, sessions: Sessions, queues: QueuePools) -> None:
        self._sessions = sessions
        self._queues = queues
        self._jobs: dict[bytes, set[JobWatch]] = {}
        self._changed: set[bytes] = set()
        self._wakeup = asyncio.Event()
        self._next_poll = 0.0
        self._running: asyncio.Task[None] | None = None
        self._subscriptions = [self._subscription(queue) for queue in queues]

    @property
    def is_live(self) -> bool:
        """Whether every queue sends its events."""
        return all(each.is_live for each in self._subscriptions)

    @contextmanager
    def watch(self, job: JobRecord) -> Iterator[JobWatch]:
        """Watch a job whose state has just been read."""
        watch = JobWatch(job)
        if job.state.is_final:
            yield watch
            return
        job_id = str(job.id).encode()
        self._jobs.setdefault(job_id, set()).add(watch)
        self._changed.add(job_id)  # the job may have changed since it was read
        self._start_reading()
        try:
            yield watch
        finally:
            self._jobs[job_id].remove(watch)
            if not self._jobs[job_id]:
                del self._jobs[job_id]
            self._wakeup.set()

    async def close(self) -> None:
        """Stop listening. Call this after the requests that watch jobs have ended."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait([self._running])

    def _start_reading(self) -> None:
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._run(), context=Context())
        self._wakeup.set()

    async def _run(self) -> None:
        listening = [asyncio.create_task(each.run()) for each in self._subscriptions]
        try:
            while await self._is_watched():
                await self._read()
                raise_if_cancelled()
                await asyncio.sleep(COALESCE)
        finally:
            for task in listening:
                task.cancel()
            await asyncio.wait(listening)

    async def _is_watched(self) -> bool:
        """Wait until there are jobs to read. Return False if no job is watched any more."""
        loop = asyncio.get_running_loop()
        timeout = max(0.0, self._next_poll - loop.time()) if self._jobs else LINGER
        try:
            async with asyncio.timeout(timeout):
                await self._wakeup.wait()
        except TimeoutError:
            if not self._jobs:
                return False
        self._wakeup.clear()
        if loop.time() >= self._next_poll:
            self._next_poll = loop.time() + (POLL if self.is_live else POLL_WITHOUT_EVENTS)
            self._changed.update(self._jobs)
        return True

    async def _read(self) -> None:
        """Read the jobs that have changed. If this fails, the next poll reads them."""
        job_ids = [UUID(each.decode()) for each in self._changed & self._jobs.keys()]
        self._changed.clear()
        if not job_ids:
            return
        try:
            found = await find_jobs(self._sessions, self._queues, job_ids)
        except Exception as error:  # noqa: BLE001  this one task serves all streams
            raise_if_cancelled()
            log.warning("events.unread", jobs=len(job_ids), error=str(error))
            return
        for job_id, record in found.items():
            for watch in self._jobs.get(str(job_id).encode(), ()):
                watch.update(record)

    def _subscription(self, queue: Queue) -> Subscription:
        def on_jobs(ids: Ids) -> None:
            if changed := self._jobs.keys() & ids:
                self._changed |= changed
                self._wakeup.set()

        def on_start() -> None:
            on_jobs([*self._jobs])

        return Subscription(self._queues[queue], on_jobs=on_jobs, on_start=on_start)


@asynccontextmanager
async def job_events(sessions: Sessions, queues: QueuePools) -> AsyncIterator[JobEvents]:
    """Open the events of a process. They listen only while a job is watched."""
    events = JobEvents(sessions, queues)
    try:
        yield events
    finally:
        await events.close()
