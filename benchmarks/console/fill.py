"""Write rows, dead letters, and Redis keys in bulk."""

import time
from uuid import UUID, uuid4

from sqlalchemy import text

from app.core.broker.client import QueueRedis
from app.core.broker.keys import QueueKeys
from app.core.queue import BASE
from app.core.resources import Resources
from app.core.worker.execution.observers import TryReport
from app.core.worker.recorder import Recorder

BATCH = 10_000
"""Rows per statement, and ids per command. Both have a time limit."""

# The ids are in order of time, like those of the service.
ROWS = text("""\
INSERT INTO outbox (id, queue, name, payload, request_id, due_at)
SELECT (lpad(to_hex(number), 12, '0') || '70008000000000000000')::uuid, 'base', 'Note',
  jsonb_build_object('user_id', number), 'request ' || number,
  CASE WHEN number % 10 = 0 THEN now() + number * interval '1 second' END
FROM generate_series(CAST(:first AS integer), CAST(:last AS integer)) AS number""")
# Ten classes of errors have a tenth of the dead letters each.
LETTERS = text("""\
INSERT INTO outbox (id, queue, name, payload, failed_at, attempts, crashes, error, traceback)
SELECT gen_random_uuid(), 'base', 'Note', jsonb_build_object('user_id', number),
  now() - number * interval '1 second', 5, 0,
  'Error' || number % 10 || ': no paint', repeat('a line of a traceback, ', 40)
FROM generate_series(CAST(:first AS integer), CAST(:last AS integer)) AS number""")


async def fill(resources: Resources, jobs: int, letters: int) -> None:
    """Fill the servers, and update the statistics of PostgreSQL."""
    for statement, count in ((ROWS, jobs), (LETTERS, letters)):
        for first in range(1, count + 1, BATCH):
            last = min(first + BATCH - 1, count)
            async with resources.sessions.begin() as session:
                await session.execute(statement, {"first": first, "last": last})
    async with resources.sessions.begin() as session:
        await session.execute(text("SET LOCAL statement_timeout = 0"))
        await session.execute(text("ANALYZE outbox"))
    redis = resources.queues[BASE]
    await fill_queue(redis, jobs)
    await fill_activity(redis)


async def fill_queue(redis: QueueRedis, jobs: int) -> None:
    """Add the ids to the sorted set. No worker runs, so the jobs need no payload."""
    keys, now = QueueKeys(BASE), time.time() * 1000
    for first in range(1, jobs + 1, BATCH):
        numbers = range(first, min(first + BATCH, jobs + 1))
        entries = {
            str(UUID(f"{n:012x}70008000000000000000")): now + 10 * (n - jobs) for n in numbers
        }
        await redis.zadd(keys.queue, entries)


async def fill_activity(redis: QueueRedis) -> None:
    """Record the activity of a busy worker for each of the last sixty minutes."""
    recorder = Recorder(redis, ["BuildSignupReport"])
    for _ in range(3_000):
        recorder.add(report())
    await recorder.close()
    keys, minute = QueueKeys(BASE), int(time.time() // 60)
    for name in ("", "BuildSignupReport"):
        [recorded] = await redis.multiplexed.execute(("HGETALL", keys.activity(minute, name)))
        fields = [part for pair in recorded.items() for part in pair]
        for earlier in range(minute - 60, minute):
            await redis.multiplexed.execute(("HSET", keys.activity(earlier, name), *fields))


def report() -> TryReport:
    return TryReport(
        queue="base",
        name="BuildSignupReport",
        job_id=uuid4(),
        attempt=1,
        outcome="succeeded",
        pickup_seconds=0.003,
        duration_seconds=0.2,
    )
