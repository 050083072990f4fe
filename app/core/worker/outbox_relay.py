"""Sends the jobs of the outbox that are not in Redis, and writes nothing while there are none.

A job is missing in Redis when its sender died after the commit, when it is due beyond the horizon,
and when Redis was down or has lost data. The relay walks through the rows in the order in which
they become due for a check, and asks Redis which jobs it knows. Its bookmark is stored in that same
Redis: a Redis that lost its data has lost the bookmark, too, and one that was restored from a
backup or a replica has an earlier one. In both cases, the relay goes back and sends again whatever
is missing.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from app.core.broker.connection import Reply
from app.core.broker.keys import QueueKeys
from app.core.broker.scripts import Call, run_scripts
from app.core.exceptions import DatabaseUnavailable
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
"""Seconds between two looks at the outbox. A look is one statement while no row is due."""

LONGEST_LAG = timedelta(seconds=INTERVAL)
"""How far the position may be behind before the relay looks again at once. It is always a little
behind: a look stops before transactions that began after the previous look."""

RETRY_AFTER = 0.5
"""Seconds until the next look while the database or Redis is away: jobs go on when it is back."""

SAVE_INTERVAL = 10.0
"""Seconds between two savings of the bookmark while no row is due."""

PATROL_INTERVAL = 300.0
"""Seconds between two walks through all rows, for jobs that Redis has lost one by one."""


@asynccontextmanager
async def relaying(queue: Queue, resources: Resources) -> AsyncIterator[None]:
    """Relay the rows of a queue for as long as the block lasts."""
    ending = asyncio.Event()
    task = asyncio.create_task(_relay_until(ending, Relay(queue, resources)))
    try:
        yield
    finally:
        ending.set()
        await task


async def _relay_until(ending: asyncio.Event, relay: "Relay") -> None:
    quiet = True
    while not ending.is_set():
        started, pause = time.monotonic(), INTERVAL
        try:
            if await relay.look():
                pause = time.monotonic() - started  # half of the time belongs to the jobs
            quiet = True
        except (RedisError, SQLAlchemyError, DatabaseUnavailable, OSError) as error:
            if quiet:
                log.warning("outbox.not_relayed", queue=relay.queue.name, error=str(error))
            quiet, pause = False, RETRY_AFTER
        with suppress(TimeoutError):
            await asyncio.wait_for(ending.wait(), pause)


class Relay:
    """Walks through the rows of a queue, and sends the jobs that Redis does not know."""

    def __init__(self, queue: Queue, resources: Resources) -> None:
        self.queue = queue
        # Not in a transaction: BEGIN and COMMIT would double what an idle worker asks.
        self._connect = resources.database.connect
        self._reader = resources.database.reader
        self._redis = resources.queues[queue]
        self._bookmark = Bookmark()
        self._saved: bytes | None = None
        self._saved_at = 0.0
        self._patrol: Position | None = None
        self._patrol_ended = time.monotonic()

    async def look(self) -> bool:
        """Check one page of rows, and return whether more rows are due for a check.

        The first look of all only learns which transactions are in progress.

        Raises the errors of Redis and of the database. The next look repeats the page then.
        """
        await self._resume()
        page = await self._send_missing(self._bookmark.position, self._bookmark.until)
        self._bookmark = self._bookmark.moved(page)
        await self._save(page)
        lag = page.taken_at - page.end.check_at
        is_behind = page.is_full or lag > LONGEST_LAG or self._bookmark.position != page.end
        if not is_behind:
            await self._go_on_patrol()
        return is_behind

    async def _resume(self) -> None:
        """Go on at the stored bookmark if it is not the one that this relay knows.

        It differs when another relay has stored one, and when Redis has lost what it had.
        """
        stored = await self._execute("GET", QueueKeys(self.queue).bookmark)
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
        """Store the bookmark in Redis, beside the jobs that are there because of it."""
        if not page.rows and time.monotonic() - self._saved_at < SAVE_INTERVAL:
            return
        saved = self._bookmark.serialize()
        await self._execute("SET", QueueKeys(self.queue).bookmark, saved)
        self._saved, self._saved_at = saved, time.monotonic()

    async def _go_on_patrol(self) -> None:
        """Check one page of all rows, from time to time."""
        if self._patrol is None and time.monotonic() - self._patrol_ended > PATROL_INTERVAL:
            self._patrol = START
        if self._patrol is not None:
            page = await self._send_missing(after=self._patrol)
            self._patrol = page.end if page.is_full else None
            self._patrol_ended = time.monotonic()

    async def _execute(self, *command: str | bytes) -> Reply:
        [reply] = await self._redis.multiplexed.execute(command)
        if isinstance(reply, RedisError):
            raise reply
        return reply
