"""Other programs write garbage to the keys of a queue."""

import json
import pickle
import time
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import pytest
from sqlalchemy import text

from app.core.broker.keys import QueueKeys
from app.core.queue import BASE
from tests.chaos.deployment import Deployment
from tests.chaos.jobs import Work
from tests.chaos.ledger import assert_once_each
from tests.support.reports import Report
from tests.support.waiting import wait_until

KEYS = QueueKeys(BASE)


LETTERS = text("SELECT count(*) FROM outbox WHERE failed_at IS NOT NULL")
DONE_WITHIN = 2.0
OF_ANOTHER_RELEASE = 3
"""Jobs whose class or values another release may accept. They wait for its workers."""


class Touch(NamedTuple):
    """A pickle that creates a file when it is loaded."""

    path: Path

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (str(self.path), "w")


def call(name: object, *arguments: object, **options: object) -> bytes:
    """Write a job as arq does."""
    return json.dumps(
        {"t": 1, "f": name, "a": arguments, "k": options, "et": int(time.time() * 1000)}
    ).encode()


def garbage(evidence: Path) -> dict[bytes, bytes]:
    """Return the garbage by job id."""
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
        call("Work", "not an object"),
        call("Work", {"number": 1}, kept={"not": "a truth"}, strange=True),
        b"x" * 5_000_000,
    ]
    return {str(uuid4()).encode(): payload for payload in payloads} | {
        b"not a uuid": call("Work", {"number": 1}),
        b"\xff\xfe": call("Work", {"number": 1}),
    }


async def test_garbage_in_a_queue_never_runs_and_stops_no_worker(
    deployment: Deployment, report: Report
) -> None:
    await assert_garbage_is_rejected(deployment, report)


@pytest.mark.timing
async def test_garbage_in_a_queue_does_not_delay_the_next_job(
    deployment: Deployment, report: Report
) -> None:
    assert await assert_garbage_is_rejected(deployment, report) <= DONE_WITHIN


async def assert_garbage_is_rejected(deployment: Deployment, report: Report) -> float:
    """Write garbage and then a valid job. Return the seconds until the valid job was done."""
    evidence = deployment.folder / "evidence"
    worker = await deployment.start_worker()
    written = garbage(evidence)
    with deployment.redis.client() as client:
        client.select(BASE.redis_db)
        for job_id, payload in written.items():
            client.set(KEYS.job_prefix.encode() + job_id, payload)
        client.zadd(KEYS.queue, dict.fromkeys(written, 1))

    sent = await deployment.send([Work(number=2)])
    effects = await deployment.ledger.wait_for("effects", [2])
    took = effects[-1].at - sent

    async def all_are_declined() -> bool:
        letters, postponed = await count_declined(deployment)
        return letters + postponed >= len(written)

    await wait_until(all_are_declined)

    letters, postponed = await count_declined(deployment)
    report(
        f"{letters} dead letters and {postponed} postponed of {len(written)} garbage jobs; "
        f"next job done in {took:.2f} s"
    )
    assert not evidence.exists()
    assert worker.is_running
    assert_once_each(effects, [2])
    assert (letters, postponed) == (len(written) - OF_ANOTHER_RELEASE, OF_ANOTHER_RELEASE)
    assert_once_each(await deployment.ledger.starts(), [2])
    return took


async def count_declined(deployment: Deployment) -> tuple[int, int]:
    """Return the number of dead letters, and of jobs that wait for another release."""
    async with deployment.resources.database.engine.connect() as connection:
        letters = int(await connection.scalar(LETTERS) or 0)
    with deployment.redis.client() as client:
        client.select(BASE.redis_db)
        return letters, client.hlen(KEYS.postponed)
