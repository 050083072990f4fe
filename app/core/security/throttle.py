"""Limit attempts per account, per address, and per network, counted in Redis."""

import time
from asyncio import Semaphore
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from weakref import WeakValueDictionary

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from app.core.config import Settings
from app.core.exceptions import TooManyAttempts, Unavailable
from app.core.redis_connections.opening import open_connections
from app.core.security.attempts import Action, Attempt, Counter, counter_key, counters_of
from app.core.urls.redis import RedisAddress

log = structlog.stdlib.get_logger(__name__)

PAUSE = 5.0
"""Seconds for which a failed Redis is not asked again: requests must not wait for it each time."""

TURNS = 2
"""How many guesses at one account a process judges at once."""

COUNT = """\
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
"""
"""Count an attempt at all of its counters, or at none where one is at its limit: a blocked address
cannot use up the attempts of accounts. Return the seconds until another attempt is allowed."""

GIVE_BACK = """\
for _, key in ipairs(KEYS) do
    if tonumber(redis.call('GET', key) or '0') > 0 then
        redis.call('DECR', key)
    end
end
"""


class Throttle:
    """Count attempts within windows, in one round trip each.

    A window starts with its first attempt and lasts THROTTLE_WINDOW, so an attacker who keeps
    guessing cannot extend it for the owner of the account. While Redis is down, nothing is counted
    and every attempt is allowed.

    Where only failures count, the attempt is the block of `async with throttle.guess(attempt)`.
    """

    def __init__(self, settings: Settings, redis: Redis) -> None:
        self._settings = settings
        self._redis = redis
        self._count = redis.register_script(COUNT)
        self._give_back = redis.register_script(GIVE_BACK)
        self._away_until = 0.0
        self._turns: WeakValueDictionary[str, Semaphore] = WeakValueDictionary()

    async def check(self, attempt: Attempt) -> None:
        """Raise TooManyAttempts if no further attempt is allowed."""
        await self._ask(attempt, added=0)

    async def count(self, attempt: Attempt) -> None:
        """Count an attempt. Raise TooManyAttempts beyond a limit."""
        await self._ask(attempt, added=1)

    @asynccontextmanager
    async def guess(self, attempt: Attempt) -> AsyncIterator[None]:
        """Count the attempt, unless the block succeeds or the service is too busy to judge it.

        It is counted first: of many simultaneous guesses, none is judged beyond the limit.
        """
        async with self._turn(attempt):
            await self.count(attempt)
            try:
                yield
            except Unavailable:
                await self.give_back(attempt)
                raise
            await self.give_back(attempt)

    async def give_back(self, attempt: Attempt) -> None:
        """Undo the count of an attempt that succeeded. Failures alone count."""
        if self._is_away:
            return
        try:
            await self._give_back(keys=[counter.key for counter in self._counters(attempt)])
        except (RedisError, OSError) as error:
            self._stop_asking(error)

    async def reset(self, action: Action, account: str) -> None:
        """Delete the attempts on an account, after its owner has proved the identity."""
        try:
            await self._redis.delete(counter_key(action, "account", account))
        except (RedisError, OSError) as error:
            self._stop_asking(error)

    async def _ask(self, attempt: Attempt, *, added: int) -> None:
        if self._is_away:
            return
        counters = self._counters(attempt)
        window = self._settings.throttle_window
        limits = [counter.limit for counter in counters]
        try:
            wait = await self._count(
                keys=[counter.key for counter in counters], args=[window, added, *limits]
            )
        except (RedisError, OSError) as error:
            self._stop_asking(error)
            return
        if wait:
            raise TooManyAttempts(wait)

    def _turn(self, attempt: Attempt) -> AbstractAsyncContextManager[None]:
        """Let few guesses at an account be judged at once, and others wait.

        Otherwise, many right logins at the same moment would look like many guesses.
        """
        if attempt.account is None:
            return nullcontext()
        key = f"{attempt.action}:{attempt.account}"
        turns = self._turns.get(key)
        if turns is None:
            turns = self._turns[key] = Semaphore(TURNS)
        return turns

    @property
    def _is_away(self) -> bool:
        return time.monotonic() < self._away_until

    def _counters(self, attempt: Attempt) -> Sequence[Counter]:
        return [*counters_of(attempt, self._settings)]

    def _stop_asking(self, error: Exception) -> None:
        self._away_until = time.monotonic() + PAUSE
        log.warning(
            "throttle.unavailable",
            error=f"{type(error).__name__}: {error}",
            consequence="nothing is limited",
        )


@asynccontextmanager
async def open_throttle(settings: Settings) -> AsyncIterator[Throttle]:
    """Open connections to the database of REDIS_URL, which no queue uses."""
    pool = open_connections(RedisAddress.parse(settings.redis_url), settings)
    try:
        yield Throttle(settings, Redis(connection_pool=pool))
    finally:
        await pool.aclose()
