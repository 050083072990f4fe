"""The streams of this process: how many there are, and who may still read them."""

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

RECHECK = 5.0
"""Seconds between two looks at all who read: their sessions may have ended."""

LONGEST_UNCHECKED = 60.0
"""Seconds after which streams end, if the database does not say who may read them."""

MayRead = Callable[[Principal], bool]
End = Callable[[], None]


class StreamsFull(Unavailable):
    def __init__(self, limit: int) -> None:
        super().__init__(
            "Too many streams at once. Try again soon.",
            f"this process has its limit of {limit} streams (MAX_STREAMS)",
        )


class TooManyStreams(TooManyAttempts):
    def __init__(self) -> None:
        super().__init__(retry_after=10)
        self.args = ("You have too many streams open. Close one, then try again.",)


class Place:
    """What a stream occupies. It is given back when the request has ended, however that happens."""

    def __init__(self, streams: "OpenStreams") -> None:
        self._streams = streams
        self._end: End | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.principal: Principal | None = None
        self.may_read: MayRead = bool

    def take(
        self, principal: Principal, may_read: MayRead, *, expires_at: float | None = None
    ) -> None:
        """Take the place for a user, until a time in seconds since the epoch.

        Raise StreamsFull, TooManyStreams.
        """
        self._streams.add(self, principal.user_id)
        self.principal, self.may_read = principal, may_read
        if expires_at is not None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(expires_at - time.time(), self.end)

    @contextmanager
    def ending(self, end: End) -> Iterator[None]:
        """Call `end` when the stream has to end."""
        self._end = end
        if self._streams.is_closing:
            end()
        yield

    def end(self) -> None:
        if self._end is not None:
            self._end()

    def give_back(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self.principal is not None:
            self._streams.remove(self, self.principal.user_id)


class OpenStreams:
    def __init__(self, settings: Settings, reader: Reader) -> None:
        self._limit = settings.max_streams
        self._limit_of_user = settings.max_streams_per_user
        self._reader = reader
        self._places: set[Place] = set()
        self._of_users: Counter[UUID] = Counter()
        self._checked_at = time.monotonic()
        self.is_closing = False

    def __len__(self) -> int:
        return len(self._places)

    @contextmanager
    def place(self) -> Iterator[Place]:
        """Prepare a place, which a stream takes once it is known who reads it."""
        place = Place(self)
        try:
            yield place
        finally:
            place.give_back()

    def add(self, place: Place, user_id: UUID) -> None:
        """Raise StreamsFull, TooManyStreams."""
        if self._of_users[user_id] >= self._limit_of_user:
            raise TooManyStreams
        if len(self._places) >= self._limit:
            raise StreamsFull(self._limit)
        self._places.add(place)
        self._of_users[user_id] += 1

    def remove(self, place: Place, user_id: UUID) -> None:
        self._places.remove(place)
        self._of_users[user_id] -= 1
        if not self._of_users[user_id]:
            del self._of_users[user_id]

    def end_all(self) -> None:
        """End all streams: the process ends, and clients find another one."""
        self.is_closing = True
        for place in self._places:
            place.end()

    async def recheck(self) -> None:
        """End the streams of those who may not read them any more."""
        readers = [(place, place.principal) for place in self._places if place.principal]
        now = time.monotonic()
        try:
            current = await refresh_principals(self._reader, [who for _, who in readers])
        except DATABASE_ERRORS as error:
            log.warning("streams.unchecked", count=len(readers), error=str(error))
            if now - self._checked_at < LONGEST_UNCHECKED:
                return
            current = {}
        self._checked_at = now
        for place, principal in readers:
            known = current.get(principal.api_key_id or principal.session_id)
            if known is None or not place.may_read(known):
                place.end()

    async def recheck_forever(self) -> None:
        while True:
            await asyncio.sleep(RECHECK)
            if self._places:
                await self.recheck()
            else:
                self._checked_at = time.monotonic()


@asynccontextmanager
async def open_streams(settings: Settings, reader: Reader) -> AsyncIterator[OpenStreams]:
    """Open the streams of a process, and check again and again who may read them."""
    streams = OpenStreams(settings, reader)
    checking = asyncio.create_task(streams.recheck_forever())
    try:
        yield streams
    finally:
        checking.cancel()
        with suppress(asyncio.CancelledError):
            await checking
