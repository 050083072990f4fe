"""Waiting without a tight time limit. Only a stall ends a wait, so a busy machine may be slow."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

from app.core.resources import Resources

STALLED_AFTER = 300.0
"""Seconds. The slowest machine needs far less for anything that a test waits for."""

POLL_INTERVAL = 0.02


@asynccontextmanager
async def stall_limit(awaited: str) -> AsyncIterator[None]:
    """Run the block. If it stalls, raise AssertionError with the name of the awaited thing."""
    try:
        async with asyncio.timeout(STALLED_AFTER) as limit:
            yield
    except TimeoutError:
        if not limit.expired():
            raise
        raise AssertionError(f"stalled: waited {STALLED_AFTER:.0f} s for {awaited}") from None


async def wait_until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Poll a condition that no event announces until it holds."""
    async with stall_limit(f"{condition.__module__}.{condition.__qualname__}"):
        while not await condition():
            await asyncio.sleep(POLL_INTERVAL)


async def wait_for_blocked_transaction(resources: Resources) -> None:
    """Wait until a transaction in the test's database waits for a lock of another."""
    query = (
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )

    async def is_blocked() -> bool:
        [row] = await resources.database.fetch(query, [])
        return bool(row["count"])

    await wait_until(is_blocked)


async def logged(lines: list[MutableMapping[str, Any]], event: str) -> bool:
    """Return whether an event is among the captured log lines."""
    return any(line["event"] == event for line in lines)
