"""The context that a handler gets with its job."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID

from app.core.config import Settings
from app.core.job_store import outbox
from app.core.job_store.progress import ProgressReport
from app.core.mailer import Mailer
from app.core.queue import Queue
from app.core.resources import Resources
from app.services.scope import RequestInfo, Scope, open_scope


class AlreadyDone(Exception):
    """Another worker, or an earlier try, has committed the effect of this job."""


@dataclass(slots=True, kw_only=True)
class JobContext:
    """The context of a try. `attempt` counts from 1. A `durable` job has a row in the outbox.

    The job is `completed` when its effect has been committed.
    """

    job_id: UUID
    attempt: int
    queue: Queue
    resources: Resources
    durable: bool = False
    completed: bool = field(default=False, init=False)
    _progress: ProgressReport | None = field(default=None, init=False)

    @property
    def settings(self) -> Settings:
        return self.resources.settings

    @property
    def mailer(self) -> Mailer:
        return self.resources.mailer

    def scope(self) -> AbstractAsyncContextManager[Scope]:
        """Open a scope for a step of the job. A retry repeats the step."""
        return open_scope(self.resources, RequestInfo("worker"))

    @asynccontextmanager
    async def completion(self) -> AsyncIterator[Scope]:
        """Open the scope of the job's effect, which commits exactly once.

        Its transaction first deletes the job's row. Another worker with the same job waits here,
        and then raises AlreadyDone, which ends the job as a success.
        """
        async with self.scope() as scope:
            if self.durable and not await scope.uow.first(outbox.REMOVE, job_id=self.job_id):
                raise AlreadyDone
            yield scope
        self.completed = True

    async def complete(self) -> None:
        """Delete the row of a completed job, unless `completion` has. Raise AlreadyDone."""
        if self.durable and not self.completed:
            if not await self.resources.completions.remove(self.job_id):
                raise AlreadyDone
            self.completed = True

    async def progress(self, fraction: float, message: str | None = None) -> None:
        """Report the progress, from 0 to 1, and a message in plain text.

        Call it as often as you like. It writes at most a few times per second, and always writes
        the last value.
        """
        if self._progress is None:
            self._progress = ProgressReport(self.resources.queues[self.queue], self.job_id)
        await self._progress.report(fraction, message)

    async def close_progress(self) -> None:
        """Write the last progress at the end of the try."""
        if self._progress is not None:
            await self._progress.close()
