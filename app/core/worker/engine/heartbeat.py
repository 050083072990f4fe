"""The heartbeat of a worker, which shows that it is alive and extends its leases."""

import asyncio
import sys
import threading
import traceback
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import structlog
from redis import Redis
from redis.exceptions import RedisError

from app.core.broker.keys import WORKER_LIFETIME, QueueKeys
from app.core.broker.scripts import Call
from app.core.redis_connections.multiplexed import Argument
from app.core.worker.claims import Claim
from app.core.worker.engine.leases import LEASE, LEASE_MS

log = structlog.stdlib.get_logger("app.worker")

INTERVAL = LEASE / 3

MAX_STACK = 4_000
"""Characters of a stuck event loop's stack in the log."""


class Heartbeat:
    """Sends heartbeats from a thread, so that a worker with a blocked event loop keeps its jobs.

    The thread calls `claims`, `worker_info`, and `is_stuck`. It calls `on_lost` with the claims
    that another worker has taken.
    """

    def __init__(  # noqa: PLR0913  the parts of its worker
        self,
        redis: Redis,
        *,
        keys: QueueKeys,
        worker_id: str,
        claims: Callable[[], Sequence[Claim]],
        worker_info: Callable[[], bytes],
        on_lost: Callable[[list[Claim]], None],
        is_stuck: Callable[[], bool],
    ) -> None:
        self._redis = redis
        self._keys = keys
        self._worker_id = worker_id
        self._claims = claims
        self._worker_info = worker_info
        self._on_lost = on_lost
        self._is_stuck = is_stuck
        self._main_thread = threading.get_ident()
        self._reported = False

    def send(self) -> None:
        """Send the worker's info, and extend its leases, unless its event loop is stuck.

        Raises redis.exceptions.RedisError.
        """
        if self._is_stuck():
            self._report_stuck_loop()
            return
        self._reported = False
        claims = self._claims()
        lifetime = round(WORKER_LIFETIME * 1000)
        arguments: list[Argument] = [self._worker_id, self._worker_info(), lifetime, LEASE_MS]
        for claim in claims:
            arguments += (claim.job_id, claim.token)
        command = Call("heartbeat", self._keys, arguments).command_with_source()
        lost = {job_id.decode() for job_id in self._redis.execute_command(*command)}  # type: ignore[no-untyped-call]
        if lost:
            self._on_lost([claim for claim in claims if claim.job_id in lost])

    def _report_stuck_loop(self) -> None:
        """Log the event loop's stack once. Other workers run its jobs when the leases expire."""
        if not self._reported:
            frame = sys._current_frames().get(self._main_thread)  # noqa: SLF001  the documented name
            place = "".join(traceback.format_stack(frame)) if frame else ""
            log.error("worker.stuck", worker=self._worker_id, place=place[-MAX_STACK:])
        self._reported = True

    def sign_off(self) -> None:
        """Remove the worker at once. Raises redis.exceptions.RedisError."""
        keys = self._keys
        self._redis.zrem(keys.workers, self._worker_id)
        self._redis.delete(keys.worker(self._worker_id), keys.interrupt(self._worker_id))
        # arq has one such key per queue, so it stays while other workers are alive.
        if not self._redis.zcard(keys.workers):
            self._redis.delete(keys.health_check)


@asynccontextmanager
async def sending(heartbeat: Heartbeat) -> AsyncIterator[None]:
    """Send heartbeats during the block."""
    # Not asyncio.to_thread, because handlers may occupy all of its threads.
    loop, stop = asyncio.get_running_loop(), threading.Event()
    started, stopped = asyncio.Event(), asyncio.Event()

    def send_until_stopped() -> None:
        _try(heartbeat.send)
        loop.call_soon_threadsafe(started.set)
        while not stop.wait(INTERVAL):
            _try(heartbeat.send)
        _try(heartbeat.sign_off)
        loop.call_soon_threadsafe(stopped.set)

    threading.Thread(target=send_until_stopped, name="heartbeat", daemon=True).start()
    try:
        await started.wait()
        yield
    finally:
        stop.set()
        await stopped.wait()


def _try(step: Callable[[], None]) -> None:
    """Run a step, and log its error. The main loop reports outages, and the next heartbeat retries.

    No error may end the thread: without heartbeats, other workers would run the same jobs.
    """
    try:
        step()
    except (RedisError, OSError) as error:
        log.debug("heartbeat.missed", error=str(error))
    except Exception as error:
        log.exception("heartbeat.failed", exc_info=error)
