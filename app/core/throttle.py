"""Counts attempts in Redis, for an account and for an address, and refuses one too many."""

import hashlib
import time
from collections.abc import AsyncIterator
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
    """An attempt that has been counted, until it is given back."""

    counters: tuple[tuple[RateLimitItem, str], ...] = ()


class Throttle:
    """Counts attempts within windows.

    A window begins with its first attempt and ends by the clock, whatever comes in between:
    whoever keeps guessing keeps nobody out for longer than THROTTLE_WINDOW.
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

    async def take(self, action: str, *, address: str, account: str | None = None) -> Attempt:
        """Count an attempt. While Redis is away, nothing is counted and everything allowed.

        Raises TooManyAttempts. The address is asked first: one that is kept out already does not
        use up the attempts of other people's accounts.
        """
        counters = [(self._per_address, _key(action, address))]
        if account is not None:
            counters.append((self._per_account, _key(action, account)))
        if time.monotonic() < self._away_until:
            return Attempt()
        try:
            for limit, key in counters:
                if not await self._limiter.hit(limit, key):
                    window = await self._limiter.get_window_stats(limit, key)
                    raise TooManyAttempts(max(1, ceil(window.reset_time - time.time())))
        except (RedisError, OSError) as error:
            self._go_on_without(error)
            return Attempt()
        return Attempt(tuple(counters))

    async def give_back(self, attempt: Attempt) -> None:
        """Count an attempt no longer, because it was a good one."""
        try:
            for limit, key in attempt.counters:
                await self._limiter.hit(limit, key, cost=-1)
        except (RedisError, OSError) as error:
            self._go_on_without(error)

    async def forgive(self, action: str, account: str) -> None:
        """Forget the attempts on an account: its owner has shown up."""
        try:
            await self._limiter.clear(self._per_account, _key(action, account))
        except (RedisError, OSError) as error:
            self._go_on_without(error)

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
