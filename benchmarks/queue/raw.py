"""A loop around BLPOP, without a queue: `python -m benchmarks.queue.raw SETTINGS`."""

import sys
from pathlib import Path

from redis import Redis

from app.core.broker.keys import QueueKeys
from app.core.queue import Queue
from app.core.redis import queue_address
from benchmarks.queue.ground import load
from benchmarks.queue.tasks import REPORTS, Report

RAW = Queue("raw", redis_db=5, concurrency=1)


def main(path: str) -> None:
    with Redis.from_url(queue_address(RAW, load(Path(path))).url) as redis:
        while True:
            redis.rpush(REPORTS, str(Report.now()))
            redis.blpop([QueueKeys(RAW).queue])


if __name__ == "__main__":
    main(*sys.argv[1:])
