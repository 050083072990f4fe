"""Measure the processor time of a request and of a job, with and without metrics.

One process measures both in turns, so that other work affects both. With `--workers`, a worker with
metrics runs next to a worker without them.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Callable, Coroutine
from statistics import median
from uuid import UUID

from starlette.types import Receive, Scope, Send

from app.core.http.admission import Admission
from app.core.http.concurrency import ConcurrencyLimiter
from app.core.http.exchange import EXCHANGE, Exchange
from app.core.http.measured import Measured
from app.core.telemetry.metrics_jobs import JobMetrics
from app.core.telemetry.metrics_requests import RequestMetrics
from app.core.worker.execution.observers import TryReport
from benchmarks.metrics import workers

ROUNDS, CALLS = 41, 2_000
REQUEST_TARGET, JOB_TARGET = 10.0, 5.0
"""In microseconds."""

Round = Callable[[], Coroutine[None, None, None]]


class Route:
    path_format = "/api/v1/items/{id}"


async def answer(_: Scope, __: Receive, send: Send) -> None:
    """Do nothing, because only the cost of metrics is measured."""
    await send({"type": "http.response.start", "status": 200, "headers": []})


async def receive() -> dict[str, object]:
    return {"type": "http.disconnect"}


async def send(_: object) -> None:
    pass


def of_requests() -> tuple[Round, Round]:
    metrics = RequestMetrics(Admission(1, ConcurrencyLimiter(1)))
    measured = Measured(answer, observe=metrics.observe)
    scope: Scope = {
        "type": "http",
        "method": "GET",
        "path": "/api/v1/items/7",
        "route": Route,
        "path_params": {"id": "7"},
    }
    scope[EXCHANGE] = exchange = Exchange(scope, send, [])

    async def off() -> None:
        for _ in range(CALLS):
            await answer(scope, receive, exchange.send)

    async def on() -> None:
        for _ in range(CALLS):
            await measured(scope, receive, exchange.send)

    return off, on


def of_jobs() -> tuple[Round, Round]:
    observe = JobMetrics("base", ["Paint", "Print"]).observe
    report = TryReport(
        queue="base",
        name="Paint",
        job_id=UUID(int=0),
        attempt=1,
        outcome="succeeded",
        pickup_seconds=0.004,
        duration_seconds=0.2,
    )

    async def off() -> None:
        for _ in range(CALLS):
            pass

    async def on() -> None:
        for _ in range(CALLS):
            observe(report)

    return off, on


async def cost(off: Round, on: Round) -> float:
    """Return how many more microseconds of processor time one call costs."""
    differences = []
    for _ in range(ROUNDS):
        without, measured = await processor_time(off), await processor_time(on)
        differences.append((measured - without) / CALLS * 1e6)
    return median(differences)


async def processor_time(measured: Round) -> float:
    began = time.process_time()
    await measured()
    return time.process_time() - began


def compare_workers(rounds: int) -> int:
    """Print the cost of metrics in a worker whose jobs do one INCR each."""
    bare, more = workers.compare(rounds)
    share = more / bare
    print(f"per job of a worker {bare:5.1f} µs, with metrics {more:+.1f} µs ({share:+.1%})")
    return int(more > JOB_TARGET)


async def compare_calls() -> int:
    """Print the cost of metrics alone."""
    request, job = await cost(*of_requests()), await cost(*of_jobs())
    print(f"per request {request:5.2f} µs (at most {REQUEST_TARGET:.0f})")
    print(f"per job     {job:5.2f} µs (at most {JOB_TARGET:.0f})")
    return int(request > REQUEST_TARGET or job > JOB_TARGET)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.metrics", description=__doc__)
    parser.add_argument("--workers", action="store_true", help="compare two workers")
    parser.add_argument("--rounds", type=int, default=21, help="number of rounds (21)")
    options = parser.parse_args()
    return compare_workers(options.rounds) if options.workers else asyncio.run(compare_calls())


if __name__ == "__main__":
    sys.exit(main())
