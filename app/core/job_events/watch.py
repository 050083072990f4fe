"""The states of one job, for a reader that waits for the next one."""

import asyncio
from collections.abc import AsyncIterator

from app.core.job_store.record import JobRecord


class JobWatch:
    """The states of one job. A slow reader may miss states in between, but not the last one."""

    def __init__(self, job: JobRecord) -> None:
        self._job: JobRecord | None = job
        self._ended = False
        self._changed = asyncio.Event()

    def update(self, job: JobRecord | None) -> None:
        """Set the state. It is None for a job that no longer exists."""
        if job != self._job:
            self._job = job
            self._changed.set()

    def end(self) -> None:
        """End the watch before the job reaches a final state."""
        self._ended = True
        self._changed.set()

    async def __aiter__(self) -> AsyncIterator[JobRecord | None]:
        """Yield the current state, and then each change, up to a final state or None."""
        job = self._job
        yield job
        while not self._is_over(job):
            await self._changed.wait()
            self._changed.clear()
            if job is not self._job:
                job = self._job
                yield job

    def _is_over(self, job: JobRecord | None) -> bool:
        return self._ended or job is None or job.state.is_final
