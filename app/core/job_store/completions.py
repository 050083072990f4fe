"""Deletes the rows of finished jobs, many in one statement."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from app.core.job_store import outbox
from app.core.postgres.reader import Fetch

Waiting = dict[UUID, asyncio.Future[bool]]


class Completions:
    """Deletes the rows of jobs whose handlers have not completed them in their own transaction.

    One statement runs at a time and deletes every row that was requested during the previous one.
    A single row is deleted at once, and a hundred jobs that end together cost one commit.
    """

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self._waiting: Waiting = {}
        self._task: asyncio.Task[None] | None = None

    async def remove(self, job_id: UUID) -> bool:
        """Delete the row of a job. Return False if another transaction has deleted it.

        Raises what the database raises. The row may then exist or not.
        """
        deleted: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting[job_id] = deleted
        if self._task is None:
            self._task = asyncio.create_task(self._work())
        return await deleted

    async def finished(self) -> None:
        """Wait until no statement is running."""
        if self._task is not None:
            await self._task

    async def _work(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting, {}
                await self._acknowledge(batch)
        finally:
            self._task = None

    async def _acknowledge(self, batch: Waiting) -> None:
        try:
            deleted = await outbox.remove_all(self._fetch, batch)
        except Exception as error:  # noqa: BLE001  each waiting job gets it
            if len(batch) > 1:
                # Another transaction may have locked one row, which must not fail the other jobs.
                each = ({job_id: waiter} for job_id, waiter in batch.items())
                await asyncio.gather(*map(self._acknowledge, each))
                return
            for waiter in batch.values():
                if not waiter.done():
                    waiter.set_exception(error)
        else:
            for job_id, waiter in batch.items():
                if not waiter.done():
                    waiter.set_result(job_id in deleted)


@asynccontextmanager
async def completing(fetch: Fetch) -> AsyncIterator[Completions]:
    """Provide completions, and wait for the last statement before the database is closed."""
    completions = Completions(fetch)
    try:
        yield completions
    finally:
        await completions.finished()
