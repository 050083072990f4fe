"""The last tick of each cron, which all workers share."""

from datetime import datetime

from sqlalchemy import Column, DateTime, String, Table, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.database import metadata

cron_ticks = Table(
    "cron_ticks",
    metadata,
    Column("name", String(255), primary_key=True),
    Column("ticked_at", DateTime(timezone=True), nullable=False),
)


async def record_tick(session: AsyncSession, name: str, tick: datetime) -> bool:
    """Record a tick. Return False if it, or a later one, is already recorded."""
    row = insert(cron_ticks).values(name=name, ticked_at=tick)
    recorded = await session.execute(
        row.on_conflict_do_update(
            index_elements=[cron_ticks.c.name],
            set_={"ticked_at": row.excluded.ticked_at},
            where=cron_ticks.c.ticked_at < row.excluded.ticked_at,
        ).returning(cron_ticks.c.name)
    )
    return recorded.scalar_one_or_none() is not None


async def last_tick(session: AsyncSession, name: str) -> datetime | None:
    """Return the last tick of a cron, or None before its first."""
    tick: datetime | None = await session.scalar(
        select(cron_ticks.c.ticked_at).where(cron_ticks.c.name == name)
    )
    return tick
