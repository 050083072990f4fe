"""Noting that jobs are done, many in one transaction."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from uuid import UUID

from app.core import outbox
from app.core.database import Sessions

Waiting = dict[UUID, asyncio.Future[bool]]


class Completions:
    """Removes the rows of jobs whose handlers had no transaction for their effect.

    One transaction runs at a time, and takes along what has come in during the one before: a job
    that waits for nobody is removed at once, a hundred that end together cost one commit.
    """

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._waiting: Waiting = {}
        self._task: asyncio.Task[None] | None = None

    async def remove(self, job_id: UUID) -> bool:
        """Remove a job's row; False when somebody else was first.

        Raises what the database raises; then the row may be there or not.
        """
        removed: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting[job_id] = removed
        if self._task is None:
            self._task = asyncio.create_task(self._work())
        return await removed

    async def finished(self) -> None:
        """Wait until nothing is under way."""
        if self._task is not None:
            await self._task

    async def _work(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting, {}
                await self._settle(batch)
        finally:
            self._task = None

    async def _settle(self, batch: Waiting) -> None:
        try:
            removed = await self._remove(batch)
        except Exception as error:  # noqa: BLE001  whoever waits is told
            if len(batch) > 1:
                # Somebody else may hold one of the rows: that is no reason for the others to fail.
                each = ({job_id: waiter} for job_id, waiter in batch.items())
                await asyncio.gather(*map(self._settle, each))
                return
            for waiter in batch.values():
                if not waiter.done():
                    waiter.set_exception(error)
        else:
            for job_id, waiter in batch.items():
                if not waiter.done():
                    waiter.set_result(job_id in removed)

    async def _remove(self, job_ids: Iterable[UUID]) -> set[UUID]:
        async with self._sessions.begin() as session:
            return await outbox.remove_all(session, job_ids)


@asynccontextmanager
async def completing(sessions: Sessions) -> AsyncIterator[Completions]:
    """Let what is under way end before the database is closed."""
    completions = Completions(sessions)
    try:
        yield completions
    finally:
        await completions.finished()
