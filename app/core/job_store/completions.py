"""Deletes the rows of finished jobs, many in one transaction."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from uuid import UUID

from app.core.database import Sessions
from app.core.job_store import outbox

Waiting = dict[UUID, asyncio.Future[bool]]


class Completions:
    """Deletes the rows of jobs whose handlers have not completed them in their own transaction.

    One transaction runs at a time, and deletes all rows that were requested during the previous
    one. So a single row is deleted at once, and a hundred jobs that end together need one commit.
    """

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
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
        """Wait until no transaction is running."""
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
            deleted = await self._delete(batch)
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

    async def _delete(self, job_ids: Iterable[UUID]) -> set[UUID]:
        async with self._sessions.begin() as session:
            return await outbox.remove_all(session, job_ids)


@asynccontextmanager
async def completing(sessions: Sessions) -> AsyncIterator[Completions]:
    """Provide completions, and wait for the last transaction before the database is closed."""
    completions = Completions(sessions)
    try:
        yield completions
    finally:
        await completions.finished()
