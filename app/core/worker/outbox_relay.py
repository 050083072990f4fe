"""The outbox relay sends jobs that have a row but are missing in Redis.

A job is missing if its sender died after the commit, if it was due beyond the horizon, or if Redis
was down or has lost data. The relay reads the rows in the order in which a check of them is due,
and asks Redis which jobs it has. It stores its bookmark in the same Redis. If that Redis loses its
data, the bookmark is lost, too. If it is restored from a backup or a replica, it has an earlier
bookmark. In both cases, the relay starts from there and sends every missing job again.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from redis.exceptions import RedisError

from app.core.broker.keys import QueueKeys
from app.core.broker.scripts import Call, run_scripts
from app.core.database import DATABASE_ERRORS
from app.core.job_store.reconciliation import (
    START,
    Bookmark,
    Page,
    Position,
    read_messages,
    read_page,
)
from app.core.queue import Queue
from app.core.resources import Resources
from app.core.telemetry.messaging import resending

log = structlog.stdlib.get_logger("app.worker")

INTERVAL = 2.0
"""Seconds between two polls of the outbox. A poll is one statement while no row is due."""

MAX_LAG = timedelta(seconds=INTERVAL)
"""How far the position may lag before the relay polls again at once. A small lag is normal, because
a poll stops before transactions that began after the previous poll."""

RETRY_AFTER = 0.5
"""Seconds until the next poll after an error of the database or Redis."""

SAVE_INTERVAL = 10.0
"""Seconds between two writes of the bookmark while no row is due."""

FULL_SCAN_INTERVAL = 300.0
"""Seconds between two scans of all rows, which find single jobs that Redis has lost."""


@asynccontextmanager
async def relaying(queue: Queue, resources: Resources) -> AsyncIterator[None]:
    """Relay the rows of a queue during the block."""
    stopping = asyncio.Event()
    task = asyncio.create_task(_relay_until(stopping, Relay(queue, resources)))
    try:
        yield
    finally:
        stopping.set()
        await task


class Relay:
    """Polls the rows of a queue, and sends the jobs that Redis does not know."""

    def __init__(self, queue: Queue, resources: Resources) -> None:
        self.queue = queue
        # Without a transaction: BEGIN and COMMIT would double the statements of an idle worker.
        self._connect = resources.database.connect
        self._reader = resources.database.reader
        self._redis = resources.queues[queue]
        self._bookmark = Bookmark()
        self._saved: bytes | None = None
        self._saved_at = 0.0
        self._full_scan: Position | None = None
        self._full_scan_ended = time.monotonic()

    async def poll(self) -> bool:
        """Check one page of rows, and return whether more rows are due for a check.

        The first poll only reads which transactions are in progress.

        Raises the errors of Redis and of the database. After an error, the next poll repeats the
        page.
        """
        await self._resume()
        page = await self._send_missing(self._bookmark.position, self._bookmark.until)
        self._bookmark = self._bookmark.moved(page)
        await self._save(page)
        lag = page.taken_at - page.end.check_at
        is_behind = page.is_full or lag > MAX_LAG or self._bookmark.position != page.end
        if not is_behind:
            await self._continue_full_scan()
        return is_behind

    async def _resume(self) -> None:
        """Continue from the stored bookmark if it differs from this relay's.

        It differs if another relay has stored one, or if Redis has lost data.
        """
        stored = await self._redis.multiplexed.execute_one("GET", QueueKeys(self.queue).bookmark)
        if stored != self._saved:
            self._bookmark, self._saved = Bookmark.parse(stored), stored

    async def _send_missing(self, after: Position, until: datetime | None = None) -> Page:
        page = await read_page(self._reader, self.queue, after, until)
        if page.rows:
            job_ids = [str(row.id) for row in page.rows]
            find = Call("missing", QueueKeys(self.queue), job_ids)
            [missing] = await run_scripts(self._redis.multiplexed, find)
            if missing:
                await self._send([UUID(job_id.decode()) for job_id in missing])
        return page

    async def _send(self, job_ids: Sequence[UUID]) -> None:
        async with self._connect() as connection:
            messages = await read_messages(connection, job_ids)
        with resending(messages):
            await self._redis.send(messages)
        log.info("outbox.relayed", queue=self.queue.name, count=len(messages))

    async def _save(self, page: Page) -> None:
        """Store the bookmark in the same Redis as the jobs, so that both are lost together."""
        if not page.rows and time.monotonic() - self._saved_at < SAVE_INTERVAL:
            return
        saved = self._bookmark.serialize()
        await self._redis.multiplexed.execute_one("SET", QueueKeys(self.queue).bookmark, saved)
        self._saved, self._saved_at = saved, time.monotonic()

    async def _continue_full_scan(self) -> None:
        """Check the next page of all rows, if a full scan is due."""
        if self._full_scan is None:
            if time.monotonic() - self._full_scan_ended <= FULL_SCAN_INTERVAL:
                return
            self._full_scan = START
        page = await self._send_missing(after=self._full_scan)
        self._full_scan = page.end if page.is_full else None
        self._full_scan_ended = time.monotonic()


async def _relay_until(stopping: asyncio.Event, relay: "Relay") -> None:
    is_healthy = True
    while not stopping.is_set():
        started, pause = time.monotonic(), INTERVAL
        try:
            if await relay.poll():
                pause = time.monotonic() - started  # leave half of the time to the jobs
            is_healthy = True
        except (RedisError, *DATABASE_ERRORS) as error:
            if is_healthy:
                log.warning("outbox.not_relayed", queue=relay.queue.name, error=str(error))
            is_healthy, pause = False, RETRY_AFTER
        with suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), pause)
