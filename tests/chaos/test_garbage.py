"""Somebody writes to the queue's keys who has no business there."""

import json
import pickle
import time
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

from sqlalchemy import text

from app.core.queue import BASE
from tests.chaos.conftest import Seen
from tests.chaos.ground import Ground
from tests.chaos.jobs import Work
from tests.chaos.ledger import assert_once_each

LETTERS = text("SELECT count(*) FROM outbox WHERE failed_at IS NOT NULL")
DONE_WITHIN = 2.0


class Touch(NamedTuple):
    """A pickle that leaves a file behind wherever it is read."""

    path: Path

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (str(self.path), "w")


def call(name: object, *arguments: object, **options: object) -> bytes:
    """Write a job as arq does."""
    return json.dumps(
        {"t": 1, "f": name, "a": arguments, "k": options, "et": int(time.time() * 1000)}
    ).encode()


def garbage(evidence: Path) -> dict[bytes, bytes]:
    """Return what is written, by job id."""
    payloads = [
        pickle.dumps(Touch(evidence)),
        pickle.dumps({"t": 1, "f": "Work", "a": (Touch(evidence),), "k": {}, "et": 1}),
        b"{ broken",
        b"\xff\xfe\x00",
        b"null",
        b"[" * 5_000,
        b"{}",
        call("Nobody", {"number": 1}),
        call("No\0body", {"number": 1}),
        call(7, {"number": 1}),
        call("Work"),
        call("Work", {"number": "not a number"}),
        call("Work", {"number": 1, "surprise": "\0"}),
        call("Work", "not an object"),
        call("Work", {"number": 1}, strange=True),
        call("Work", {"number": 1}, kept={"not": "a truth"}, strange=True),
        call("Work", {"number": 1, "surprise": "x" * 5_000_000}),
        b"x" * 5_000_000,
    ]
    return {str(uuid4()).encode(): payload for payload in payloads} | {
        b"not a uuid": call("Work", {"number": 1}),
        b"\xff\xfe": call("Work", {"number": 1}),
    }


async def test_what_strangers_write_to_a_queue_runs_nowhere_and_stops_nobody(
    ground: Ground, seen: Seen
) -> None:
    evidence = ground.folder / "evidence"
    worker = await ground.start_worker()
    written = garbage(evidence)
    with ground.redis.client() as client:
        client.select(BASE.redis_db)
        for job_id, payload in written.items():
            client.set(b"arq:job:" + job_id, payload)
        client.zadd(BASE.key, dict.fromkeys(written, 1))

    sent = await ground.send([Work(number=2)])
    effects = await ground.ledger.until("effects", [2], within=20)
    took = effects[-1].at - sent if effects else 20.0
    letters, deadline = 0, time.monotonic() + 5
    while letters < len(written) and time.monotonic() < deadline:
        letters = await count_dead_letters(ground)

    seen(
        f"{letters} dead letters of {len(written)} strange jobs; the next job done in {took:.2f} s"
    )
    assert not evidence.exists()
    assert worker.is_running
    assert_once_each(effects, [2])
    assert took <= DONE_WITHIN
    assert letters == len(written)
    assert_once_each(await ground.ledger.starts(), [2])


async def count_dead_letters(ground: Ground) -> int:
    async with ground.resources.database.engine.connect() as connection:
        return int(await connection.scalar(LETTERS) or 0)
