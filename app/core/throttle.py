"""Counts attempts in Redis, for an account and for an address, and refuses one too many."""

import hashlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from math import ceil

import structlog
from limits import RateLimitItem, RateLimitItemPerSecond
from limits.aio.storage import RedisStorage
from limits.aio.strategies import FixedWindowRateLimiter
from redis.asyncio import ConnectionPool
from redis.exceptions import RedisError

from app.core.config import Settings
from app.core.exceptions import TooManyAttempts

log = structlog.stdlib.get_logger(__name__)

PAUSE = 5.0
"""Seconds for which a Redis that failed is not asked again: nobody should wait for it each time."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What is tried, from which address, and on whose account, where one can be named."""

    action: str
    address: str
    account: str | None = None


class Throttle:
    """Counts attempts within windows.

    A window begins with its first attempt and ends by the clock, whatever comes in between:
    whoever keeps guessing keeps nobody out for longer than THROTTLE_WINDOW. While Redis is away,
    nothing is counted and everything allowed.

    Where only failures count, `check` comes before the attempt and, when it was good, once more
    after it: of many guesses at the same time, one that is right too late is refused as well.
    """

    def __init__(self, settings: Settings, limiter: FixedWindowRateLimiter) -> None:
        self._limiter = limiter
        self._per_account = RateLimitItemPerSecond(
            settings.throttle_attempts, settings.throttle_window, namespace="account"
        )
        self._per_address = RateLimitItemPerSecond(
            settings.throttle_attempts_per_address, settings.throttle_window, namespace="address"
        )
        self._away_until = 0.0

    async def check(self, attempt: Attempt) -> None:
        """Raise TooManyAttempts where no further attempt is allowed."""
        await self._ask(self._limiter.test, attempt)

    async def count(self, attempt: Attempt) -> None:
        """Count an attempt. Raises TooManyAttempts for one too many.

        The address is asked first: one that is kept out already does not use up the attempts of
        other people's accounts.
        """
        await self._ask(self._limiter.hit, attempt)

    async def forgive(self, action: str, account: str) -> None:
        """Forget the attempts on an account: its owner has shown up."""
        try:
            await self._limiter.clear(self._per_account, _key(action, account))
        except (RedisError, OSError) as error:
            self._go_on_without(error)

    async def _ask(
        self, is_allowed: Callable[[RateLimitItem, str], Awaitable[bool]], attempt: Attempt
    ) -> None:
        if time.monotonic() < self._away_until:
            return
        try:
            for limit, key in self._counters(attempt):
                if not await is_allowed(limit, key):
                    window = await self._limiter.get_window_stats(limit, key)
                    raise TooManyAttempts(max(1, ceil(window.reset_time - time.time())))
        except (RedisError, OSError) as error:
            self._go_on_without(error)

    def _counters(self, attempt: Attempt) -> Iterator[tuple[RateLimitItem, str]]:
        yield self._per_address, _key(attempt.action, attempt.address)
        if attempt.account is not None:
            yield self._per_account, _key(attempt.action, attempt.account)

    def _go_on_without(self, error: Exception) -> None:
        self._away_until = time.monotonic() + PAUSE
        log.warning("throttle.away", error=type(error).__name__, consequence="nothing is limited")


@asynccontextmanager
async def open_throttle(settings: Settings) -> AsyncIterator[Throttle]:
    """Hold connections to the database of REDIS_URL that no queue uses."""
    pool = ConnectionPool.from_url(
        settings.redis_url,
        socket_connect_timeout=settings.redis_timeout,
        socket_timeout=settings.redis_timeout,
        health_check_interval=30,
    )
    storage = RedisStorage(
        "async+redis://",  # of what kind it is; the pool knows where
        implementation="redispy",
        connection_pool=pool,  # type: ignore[arg-type]  # forgotten in their annotation
    )
    try:
        yield Throttle(settings, FixedWindowRateLimiter(storage))
    finally:
        await pool.aclose()


def _key(action: str, who: str) -> str:
    """Name a counter. Redis need not know who has an account."""
    digest = hashlib.sha256(who.strip().casefold().encode(errors="replace")).hexdigest()
    return f"{action}:{digest}"
