"""The open streams of this process: their limits, and the permissions of their readers."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from uuid import UUID

import structlog

from app.core.config import Settings
from app.core.database import DATABASE_ERRORS
from app.core.exceptions import TooManyAttempts, Unavailable
from app.core.postgres.reader import Reader
from app.services.auth.authentication import refresh_principals
from app.services.auth.principal import Principal

log = structlog.stdlib.get_logger(__name__)

RECHECK_INTERVAL = 5.0
"""Seconds between two checks of the readers' sessions and permissions."""

MAX_UNCHECKED = 60.0
"""Seconds after which streams end if the database cannot confirm the permissions of readers."""

MayRead = Callable[[Principal], bool]
End = Callable[[], None]


class StreamsFull(Unavailable):
    def __init__(self, limit: int) -> None:
        super().__init__(
            "Too many streams at once. Try again soon.",
            f"this process has reached its limit of {limit} streams (MAX_STREAMS)",
        )


class TooManyStreams(TooManyAttempts):
    def __init__(self) -> None:
        super().__init__(10, "You have too many streams open. Close one, then try again.")


class StreamSlot:
    """A stream's share of the limits. It is released when the request ends, for any reason."""

    def __init__(self, streams: "OpenStreams") -> None:
        self._streams = streams
        self._end: End | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.principal: Principal | None = None
        self.may_read: MayRead = bool

    def acquire(
        self, principal: Principal, may_read: MayRead, *, expires_at: float | None = None
    ) -> None:
        """Acquire the slot for a user, until `expires_at` in seconds since the epoch.

        Raise StreamsFull or TooManyStreams.
        """
        self._streams.add(self, principal.user_id)
        self.principal, self.may_read = principal, may_read
        if expires_at is not None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(expires_at - time.time(), self.end)

    @contextmanager
    def ending(self, end: End) -> Iterator[None]:
        """Call `end` when the stream must end."""
        self._end = end
        if self._streams.is_closing:
            end()
        yield

    def end(self) -> None:
        if self._end is not None:
            self._end()

    def release(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self.principal is not None:
            self._streams.remove(self, self.principal.user_id)


class OpenStreams:
    def __init__(self, settings: Settings, reader: Reader) -> None:
        self._limit = settings.max_streams
        self._limit_per_user = settings.max_streams_per_user
        self._reader = reader
        self._slots: set[StreamSlot] = set()
        self._count_per_user: Counter[UUID] = Counter()
        self._checked_at = time.monotonic()
        self.is_closing = False

    def __len__(self) -> int:
        return len(self._slots)

    @contextmanager
    def slot(self) -> Iterator[StreamSlot]:
        """Prepare a slot. The stream acquires it once its reader is authenticated."""
        slot = StreamSlot(self)
        try:
            yield slot
        finally:
            slot.release()

    def add(self, slot: StreamSlot, user_id: UUID) -> None:
        """Raise StreamsFull or TooManyStreams."""
        if self._count_per_user[user_id] >= self._limit_per_user:
            raise TooManyStreams
        if len(self._slots) >= self._limit:
            raise StreamsFull(self._limit)
        self._slots.add(slot)
        self._count_per_user[user_id] += 1

    def remove(self, slot: StreamSlot, user_id: UUID) -> None:
        self._slots.remove(slot)
        self._count_per_user[user_id] -= 1
        if not self._count_per_user[user_id]:
            del self._count_per_user[user_id]

    def end_all(self) -> None:
        """End all streams, because the process stops. Clients reconnect to another one."""
        self.is_closing = True
        for slot in self._slots:
            slot.end()

    async def recheck(self) -> None:
        """End the streams of readers who have lost their session or permission."""
        readers = [(slot, slot.principal) for slot in self._slots if slot.principal]
        now = time.monotonic()
        try:
            current = await refresh_principals(self._reader, [reader for _, reader in readers])
        except DATABASE_ERRORS as error:
            log.warning("streams.unchecked", count=len(readers), error=str(error))
            if now - self._checked_at < MAX_UNCHECKED:
                return
            current = {}
        self._checked_at = now
        for slot, principal in readers:
            refreshed = current.get(principal.api_key_id or principal.session_id)
            if refreshed is None or not slot.may_read(refreshed):
                slot.end()

    async def recheck_forever(self) -> None:
        while True:
            await asyncio.sleep(RECHECK_INTERVAL)
            if self._slots:
                await self.recheck()
            else:
                self._checked_at = time.monotonic()


@asynccontextmanager
async def open_streams(settings: Settings, reader: Reader) -> AsyncIterator[OpenStreams]:
    """Open the registry of the process's streams, and recheck their readers in the background."""
    streams = OpenStreams(settings, reader)
    checking = asyncio.create_task(streams.recheck_forever())
    try:
        yield streams
    finally:
        checking.cancel()
        with suppress(asyncio.CancelledError):
            await checking
