"""Reads on the single connection of a test."""

import asyncio
from collections.abc import Sequence
from weakref import WeakKeyDictionary

import asyncpg
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.postgres.driver import fetch_on

_turns: WeakKeyDictionary[AsyncConnection, asyncio.Lock] = WeakKeyDictionary()


async def fetch_in_turns(
    connection: AsyncConnection, text: str, arguments: Sequence[object]
) -> Sequence[asyncpg.Record]:
    """Fetch on the connection of a test, which simultaneous requests share."""
    async with _turns.setdefault(connection, asyncio.Lock()):
        return await fetch_on(connection, text, arguments)
