"""When the clock last had a job done: what many workers agree by, and what outlives them all."""

from datetime import datetime

from sqlalchemy import Column, DateTime, String, Table, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.database import metadata

ticks = Table(
    "cron_ticks",
    metadata,
    Column("name", String(255), primary_key=True),
    Column("ticked_at", DateTime(timezone=True), nullable=False),
)


async def record_tick(session: AsyncSession, name: str, tick: datetime) -> bool:
    """Record a tick; False when it, or a later one, has been recorded before."""
    row = insert(ticks).values(name=name, ticked_at=tick)
    recorded = await session.execute(
        row.on_conflict_do_update(
            index_elements=[ticks.c.name],
            set_={"ticked_at": row.excluded.ticked_at},
            where=ticks.c.ticked_at < row.excluded.ticked_at,
        ).returning(ticks.c.name)
    )
    return recorded.scalar_one_or_none() is not None


async def last_tick(session: AsyncSession, name: str) -> datetime | None:
    """Tell when a clock last ticked, None before its first tick."""
    tick: datetime | None = await session.scalar(
        select(ticks.c.ticked_at).where(ticks.c.name == name)
    )
    return tick
