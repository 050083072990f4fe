"""Wakes a worker as soon as there is work."""

import asyncio
from contextlib import suppress

from redis.exceptions import RedisError

from app.core.redis_connections.cancellation import cancel_all
from app.core.worker.engine.leases import Leases, Reply

CLOSE_TIMEOUT = 3.0
"""Seconds to wait for the last reply of a listener."""


class Wakeup:
    """An event that the parts of a worker set when the main loop must run."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def notify(self) -> None:
        self._event.set()

    def clear(self) -> None:
        """Clear earlier notifications. The caller is about to check everything."""
        self._event.clear()

    async def wait(self, seconds: float | None) -> None:
        """Wait for a notification, at most for some seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._event.wait()


class Listener:
    """Waits for a token of the queue, then claims jobs, both in one packet.

    It listens only while the worker has free slots. Otherwise, a busy worker could take the token
    of an idle one. While it listens, no other call may claim, because it claims all free slots.
    """

    def __init__(self, leases: Leases, wakeup: Wakeup) -> None:
        self._leases = leases
        self._wakeup = wakeup
        self._task: asyncio.Task[Reply] | None = None

    @property
    def is_listening(self) -> bool:
        return self._task is not None and not self._task.done()

    def start(self, *, free: int, busy: int, seconds: float) -> None:
        """Listen for some seconds. A reply wakes the main loop.

        This does nothing before the earlier reply has been taken. Otherwise, its jobs would be lost
        until their leases expire.
        """
        if self._task is not None:
            return
        listening = self._leases.listen(free=free, busy=busy, seconds=seconds)
        self._task = asyncio.create_task(listening)
        self._task.add_done_callback(lambda _: self._wakeup.notify())

    def take(self) -> Reply | None:
        """Return the reply, or None without one. Raises redis.exceptions.RedisError."""
        if self._task is None or not self._task.done():
            return None
        task, self._task = self._task, None
        return task.result()

    async def interrupt(self) -> None:
        """Claim now instead of waiting. Raises redis.exceptions.RedisError."""
        if self._task is not None:
            await self._leases.interrupt()
            await asyncio.wait({self._task})

    async def close(self) -> Reply | None:
        """Stop listening, and return the jobs that have been claimed in the meantime."""
        if self._task is not None:
            # `cancel_all` repeats the cancellation, which a connecting connection may swallow.
            tasks = {self._task, asyncio.create_task(self._leases.interrupt())}
            await asyncio.wait(tasks, timeout=CLOSE_TIMEOUT)
            await cancel_all(lambda: tasks)
            await asyncio.gather(*tasks, return_exceptions=True)
        await self._leases.aclose()
        try:
            return self.take()
        except (RedisError, OSError, asyncio.CancelledError):
            return None  # claimed jobs are due again when their leases expire
