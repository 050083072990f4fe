"""A worker's sign of life, which also keeps its jobs its own."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import structlog
from arq.constants import health_check_key_suffix
from redis import Redis
from redis.exceptions import RedisError

from app.core.presence import LIFETIME
from app.core.scripts import Call
from app.core.wire import Argument
from app.core.worker.claims import Claim
from app.core.worker.lease import LEASE, LEASE_MS

log = structlog.stdlib.get_logger("app.worker")

INTERVAL = LEASE / 3


class Heart:
    """Beats in a thread of its own: a handler that blocks the event loop keeps its jobs.

    `held` and `describe` are called in that thread, and so is `on_lost`, with the claims that
    somebody else holds now.
    """

    def __init__(  # noqa: PLR0913  what a heart is joined to
        self,
        redis: Redis,
        *,
        queue: str,
        worker_id: str,
        held: Callable[[], Sequence[Claim]],
        describe: Callable[[], bytes],
        on_lost: Callable[[list[Claim]], None],
    ) -> None:
        self._redis = redis
        self._queue = queue
        self._worker_id = worker_id
        self._held = held
        self._describe = describe
        self._on_lost = on_lost

    def beat(self) -> None:
        """Say that the worker lives, and extend its leases. Raises redis.exceptions.RedisError."""
        claims = self._held()
        keys = [
            self._queue,
            f"{self._queue}:running",
            f"{self._queue}:workers",
            f"{self._queue}:worker:{self._worker_id}",
        ]
        lifetime = round(LIFETIME * 1000)
        arguments: list[Argument] = [self._worker_id, self._describe(), lifetime, LEASE_MS]
        for claim in claims:
            arguments += (claim.job_id, claim.token)
        command = Call("heartbeat", keys, arguments).command_with_source()
        lost = {job_id.decode() for job_id in self._redis.execute_command(*command)}  # type: ignore[no-untyped-call]
        if lost:
            self._on_lost([claim for claim in claims if claim.job_id in lost])

    def sign_off(self) -> None:
        """Count as gone at once. Raises redis.exceptions.RedisError."""
        workers = f"{self._queue}:workers"
        self._redis.zrem(workers, self._worker_id)
        self._redis.delete(f"{workers[:-1]}:{self._worker_id}")
        # arq knows one such key per queue: it belongs to the workers that go on.
        if not self._redis.zcard(workers):
            self._redis.delete(f"{self._queue}{health_check_key_suffix}")


@asynccontextmanager
async def beating(heart: Heart) -> AsyncIterator[None]:
    """Let a heart beat for as long as the block lasts."""
    stop = threading.Event()

    def keep_beating() -> None:
        while not stop.wait(INTERVAL):
            _survive(heart.beat)
        _survive(heart.sign_off)

    await asyncio.to_thread(_survive, heart.beat)
    thread = threading.Thread(target=keep_beating, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        await asyncio.to_thread(thread.join)


def _survive(step: Callable[[], None]) -> None:
    """The worker's main loop is the one that tells of an outage; here the next beat will do."""
    try:
        step()
    except (RedisError, OSError) as error:
        log.debug("heartbeat.missed", error=str(error))
