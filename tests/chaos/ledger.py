"""The actions of the jobs in PostgreSQL. Rows are only added, so a repeated effect is visible.

A start is written at once. An effect is written together with the end of its job.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.waiting import STALLED_AFTER

Kind = Literal["starts", "effects"]

TABLES = [
    f"""CREATE TABLE {kind} (
        job_id text NOT NULL,
        number integer NOT NULL,
        attempt integer NOT NULL,
        pid integer NOT NULL,
        at timestamptz NOT NULL DEFAULT clock_timestamp()
    )"""
    for kind in ("starts", "effects")
]

INSERTS = {
    kind: text(
        f"INSERT INTO {kind} (job_id, number, attempt, pid)"  # noqa: S608  one of two words
        " VALUES (:job_id, :number, :attempt, :pid)"
    )
    for kind in ("starts", "effects")
}
SELECTS = {
    kind: text(
        "SELECT job_id, number, attempt, pid, extract(epoch FROM at)::float AS at"  # noqa: S608
        f" FROM {kind} ORDER BY at"
    )
    for kind in ("starts", "effects")
}


@dataclass(frozen=True, slots=True)
class Entry:
    """An action of a job and its time, in Unix seconds of PostgreSQL's clock."""

    job_id: str
    number: int
    attempt: int
    pid: int
    at: float


@dataclass(frozen=True)
class Ledger:
    engine: AsyncEngine

    async def starts(self) -> list[Entry]:
        return await self._read("starts")

    async def effects(self) -> list[Entry]:
        return await self._read("effects")

    async def wait_for(
        self, kind: Kind, numbers: Iterable[int], *, within: float = STALLED_AFTER
    ) -> list[Entry]:
        """Return all entries as soon as they include these numbers, or after `within` seconds."""
        wanted, deadline = set(numbers), time.monotonic() + within
        while True:
            entries = await self._read(kind)
            if wanted <= {entry.number for entry in entries} or time.monotonic() > deadline:
                return entries
            await asyncio.sleep(0.1)

    async def _read(self, kind: Kind) -> list[Entry]:
        async with self.engine.connect() as connection:
            rows = await connection.execute(SELECTS[kind])
            return [Entry(**row) for row in rows.mappings()]


def assert_once_each(entries: Iterable[Entry], numbers: Iterable[int]) -> None:
    """Raise AssertionError with the numbers that are missing or repeated."""
    counts, wanted = Counter(entry.number for entry in entries), set(numbers)
    missing = sorted(wanted - counts.keys())
    twice = {number: count for number, count in counts.items() if count > 1}
    strange = sorted(counts.keys() - wanted)
    complaint = (
        f"{len(missing)} missing: {missing[:20]}; {len(twice)} more than once: {twice}; "
        f"unknown: {strange}"
    )
    assert (missing, twice, strange) == ([], {}, []), complaint
