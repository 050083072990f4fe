"""What a handler is given beside its job: the worker's wiring and nothing else."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID

from app.core import outbox
from app.core.config import Settings
from app.core.job_store import save_progress
from app.core.mailer import Mailer
from app.core.queue import Queue
from app.core.resources import Resources
from app.core.unit_of_work import UnitOfWork


class AlreadyDone(Exception):
    """The effect of this job has been committed by somebody else, or by an earlier try."""


@dataclass(slots=True, kw_only=True)
class JobContext:
    """`attempt` counts from 1. `kept` says that the outbox has a row of this job.

    `completed` says that the job's effect has been committed.
    """

    job_id: UUID
    attempt: int
    queue: Queue
    resources: Resources
    kept: bool = False
    completed: bool = field(default=False, init=False)

    @property
    def settings(self) -> Settings:
        return self.resources.settings

    @property
    def mailer(self) -> Mailer:
        return self.resources.mailer

    def unit_of_work(self) -> AbstractAsyncContextManager[UnitOfWork]:
        """Open a transaction for a step of the job, which a later try will repeat."""
        return self.resources.unit_of_work()

    @asynccontextmanager
    async def completion(self) -> AsyncIterator[UnitOfWork]:
        """Open the transaction of the job's effect, which happens exactly once.

        It removes the job's row first: whoever else works on the same job waits here, and then
        finds nothing left to do. Raises AlreadyDone, which ends the job well.
        """
        async with self.resources.unit_of_work() as uow:
            if self.kept and not await outbox.remove(uow.session, self.job_id):
                raise AlreadyDone
            yield uow
        self.completed = True

    async def complete(self) -> None:
        """Note that the job is done, unless its own transaction has done so. Raises AlreadyDone."""
        if self.kept and not self.completed:
            if not await self.resources.completions.remove(self.job_id):
                raise AlreadyDone
            self.completed = True

    async def progress(self, fraction: float) -> None:
        """Tell whoever asks for the job how much of it is done, from 0 to 1."""
        await save_progress(self.resources.queues[self.queue], self.job_id, fraction)
