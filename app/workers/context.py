"""What a handler is given beside its job: the worker's wiring and nothing else."""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from uuid import UUID

from app.core.config import Settings
from app.core.job_store import save_progress
from app.core.mailer import Mailer
from app.core.queue import Queue
from app.core.resources import Resources
from app.core.unit_of_work import UnitOfWork


@dataclass(frozen=True, slots=True)
class JobContext:
    """`attempt` counts from 1."""

    job_id: UUID
    attempt: int
    queue: Queue
    resources: Resources

    @property
    def settings(self) -> Settings:
        return self.resources.settings

    @property
    def mailer(self) -> Mailer:
        return self.resources.mailer

    def unit_of_work(self) -> AbstractAsyncContextManager[UnitOfWork]:
        """Open a transaction whose jobs leave once it has committed."""
        return self.resources.unit_of_work()

    async def progress(self, fraction: float) -> None:
        """Tell whoever asks for the job how much of it is done, from 0 to 1."""
        await save_progress(self.resources.queues[self.queue], self.job_id, fraction)
