"""Wakes a worker as soon as there is something to do."""

import asyncio
from contextlib import suppress

from redis.exceptions import RedisError

from app.core.worker.engine.cancellation import cancel_all
from app.core.worker.engine.leases import Leases, Reply

PATIENCE = 3.0
"""Seconds for the last reply of a listener."""


class Wakeup:
    """An event that the parts of a worker set when the main loop has something to do."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def notify(self) -> None:
        self._event.set()

    def clear(self) -> None:
        """Forget earlier notifications. The caller is about to look at everything."""
        self._event.clear()

    async def wait(self, seconds: float | None) -> None:
        """Return after a notification, or after some seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._event.wait()


class Listener:
    """Waits for a token of the queue and claims jobs, both in one packet.

    It listens only while the worker has free slots: a token that a busy worker took would leave an
    idle one asleep. While it listens, nothing else may claim: it was told how many slots are free.
    """

    def __init__(self, leases: Leases, wakeup: Wakeup) -> None:
        self._leases = leases
        self._wakeup = wakeup
        self._task: asyncio.Task[Reply] | None = None

    @property
    def is_listening(self) -> bool:
        return self._task is not None and not self._task.done()

    def start(self, *, free: int, busy: int, seconds: float) -> None:
        """Listen for some seconds. The main loop is woken when there is a reply.

        This does nothing while an earlier reply has not been taken: the jobs in it would be lost
        until their leases end.
        """
        if self._task is not None:
            return
        listening = self._leases.listen(free=free, busy=busy, seconds=seconds)
        self._task = asyncio.create_task(listening)
        self._task.add_done_callback(lambda _: self._wakeup.notify())

    def take(self) -> Reply | None:
        """Return the reply, None while there is none. Raises redis.exceptions.RedisError."""
        if self._task is None or not self._task.done():
            return None
        task, self._task = self._task, None
        return task.result()

    async def interrupt(self) -> None:
        """Claim now instead of waiting longer. Raises redis.exceptions.RedisError."""
        if self._task is not None:
            await self._leases.interrupt()
            await asyncio.wait({self._task})

    async def close(self) -> Reply | None:
        """Stop listening, and return what has been claimed in the meantime."""
        if self._task is not None:
            # As tasks, because a connection may lose a cancellation while it connects.
            ending = {self._task, asyncio.create_task(self._leases.interrupt())}
            await asyncio.wait(ending, timeout=PATIENCE)
            await cancel_all(lambda: ending)
            await asyncio.gather(*ending, return_exceptions=True)
        await self._leases.aclose()
        try:
            return self.take()
        except (RedisError, OSError, asyncio.CancelledError):
            return None  # what was claimed is due again when its lease ends
