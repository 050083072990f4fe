"""No queue at all, only what Redis and Python take: `python -m benchmarks.queue.raw SETTINGS`."""

import sys
from pathlib import Path

from redis import Redis

from app.core.queue import Queue
from app.core.redis import queue_url
from benchmarks.queue.ground import load
from benchmarks.queue.tasks import REPORTS, Report

RAW = Queue("raw", redis_db=5, concurrency=1)


def main(path: str) -> None:
    with Redis.from_url(queue_url(RAW, load(Path(path)))) as redis:
        while True:
            redis.rpush(REPORTS, str(Report.now()))
            redis.blpop([RAW.key])


if __name__ == "__main__":
    main(*sys.argv[1:])
