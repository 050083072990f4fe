"""Limits on attempts per account, IP address, and network, which are counted in Redis."""

import time
from asyncio import Semaphore
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from weakref import WeakValueDictionary

import structlog
from redis.exceptions import RedisError

from app.core.config import Settings
from app.core.exceptions import TooManyAttempts, Unavailable
from app.core.redis_connections.lua import LuaScript
from app.core.redis_connections.multiplexed import MultiplexedConnection
from app.core.redis_connections.opening import open_connections
from app.core.security.attempts import Action, Attempt, Counter, counter_key, counters_of
from app.core.urls.redis import RedisAddress

log = structlog.stdlib.get_logger(__name__)

RETRY_AFTER = 5.0
"""Seconds without a call after a failure of Redis, so that not every request waits for it."""

MAX_CONCURRENT = 2
"""How many guesses at one account a process checks at once."""

COUNT = LuaScript("""\
local window, added = tonumber(ARGV[1]), tonumber(ARGV[2])
for number, key in ipairs(KEYS) do
    if tonumber(redis.call('GET', key) or '0') >= tonumber(ARGV[number + 2]) then
        return math.max(redis.call('TTL', key), 1)
    end
end
if added == 1 then
    for _, key in ipairs(KEYS) do
        if redis.call('INCRBY', key, 1) == 1 then
            redis.call('EXPIRE', key, window)
        end
    end
end
return 0
""")
"""Increment all counters of an attempt, or none if one is at its limit, so that a blocked address
cannot use up the attempts on accounts. Return the seconds until another attempt is allowed."""

REFUND = LuaScript("""\
for _, key in ipairs(KEYS) do
    if tonumber(redis.call('GET', key) or '0') > 0 then
        redis.call('DECR', key)
    end
end
""")


class Throttle:
    """Counts attempts in fixed windows, with one round trip each.

    A window starts with its first attempt and lasts THROTTLE_WINDOW, so an attacker who keeps
    guessing cannot extend it for the owner of the account. While Redis is down, nothing is counted
    and every attempt is allowed.

    If only failures count, wrap the attempt in `async with throttle.guess(attempt)`.
    """

    def __init__(self, settings: Settings, redis: MultiplexedConnection) -> None:
        self._settings = settings
        self._redis = redis
        self._down_until = 0.0
        self._semaphores: WeakValueDictionary[str, Semaphore] = WeakValueDictionary()

    async def check(self, attempt: Attempt) -> None:
        """Raise TooManyAttempts if no further attempt is allowed."""
        await self._run(attempt, added=0)

    async def count(self, attempt: Attempt) -> None:
        """Count an attempt. Raise TooManyAttempts beyond a limit."""
        await self._run(attempt, added=1)

    @asynccontextmanager
    async def guess(self, attempt: Attempt) -> AsyncIterator[None]:
        """Count the attempt, unless the block succeeds or raises Unavailable.

        The attempt is counted before the block runs, so that simultaneous guesses cannot exceed the
        limit.
        """
        async with self._semaphore(attempt):
            await self.count(attempt)
            try:
                yield
            except Unavailable:
                await self.refund(attempt)
                raise
            await self.refund(attempt)

    async def refund(self, attempt: Attempt) -> None:
        """Undo the count of an attempt that succeeded."""
        if self._is_down:
            return
        try:
            await REFUND.run(self._redis, [counter.key for counter in self._counters(attempt)])
        except (RedisError, OSError) as error:
            self._record_failure(error)

    async def reset(self, action: Action, account: str) -> None:
        """Delete the attempts on an account after its owner has proven who they are."""
        try:
            await self._redis.execute_one("DEL", counter_key(action, "account", account))
        except (RedisError, OSError) as error:
            self._record_failure(error)

    async def _run(self, attempt: Attempt, *, added: int) -> None:
        if self._is_down:
            return
        counters = self._counters(attempt)
        keys, limits = [each.key for each in counters], [each.limit for each in counters]
        window = self._settings.throttle_window
        try:
            wait = await COUNT.run(self._redis, keys, window, added, *limits)
        except (RedisError, OSError) as error:
            self._record_failure(error)
            return
        if wait:
            raise TooManyAttempts(wait)

    def _semaphore(self, attempt: Attempt) -> AbstractAsyncContextManager[None]:
        """Return the semaphore that limits concurrent guesses at an account.

        Otherwise, many correct logins at the same time would exceed the limit before their refunds.
        """
        if attempt.account is None:
            return nullcontext()
        key = f"{attempt.action}:{attempt.account}"
        semaphore = self._semaphores.get(key)
        if semaphore is None:
            semaphore = self._semaphores[key] = Semaphore(MAX_CONCURRENT)
        return semaphore

    @property
    def _is_down(self) -> bool:
        return time.monotonic() < self._down_until

    def _counters(self, attempt: Attempt) -> Sequence[Counter]:
        return [*counters_of(attempt, self._settings)]

    def _record_failure(self, error: Exception) -> None:
        self._down_until = time.monotonic() + RETRY_AFTER
        log.warning(
            "throttle.unavailable",
            error=f"{type(error).__name__}: {error}",
            consequence="nothing is limited",
        )


@asynccontextmanager
async def open_throttle(settings: Settings) -> AsyncIterator[Throttle]:
    """Open a connection to the database of REDIS_URL, which no queue uses."""
    pool = open_connections(RedisAddress.parse(settings.redis_url), settings)
    connection = MultiplexedConnection(pool)
    try:
        yield Throttle(settings, connection)
    finally:
        await connection.aclose()
        await pool.aclose()
