"""The heartbeats of a worker without the worker."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from app.core.broker.keys import QueueKeys
from app.core.config import Settings
from app.core.queue import Queue
from app.core.redis import open_client
from app.core.worker.claims import Claim
from app.core.worker.engine.heartbeat import Heartbeat, sending


@asynccontextmanager
async def beating_worker(  # noqa: PLR0913  the properties of a worker
    queue: Queue,
    settings: Settings,
    *,
    worker_id: str = "w",
    holding: Sequence[Claim] = (),
    stuck: bool = False,
    worker_info: Callable[[], bytes] = lambda: b"{}",
) -> AsyncIterator[list[Claim]]:
    """Send the heartbeats of a worker, and yield the list of its lost claims."""
    lost: list[Claim] = []
    with open_client(queue, settings) as client:
        heartbeat = Heartbeat(
            client,
            keys=QueueKeys(queue),
            worker_id=worker_id,
            claims=lambda: holding,
            worker_info=worker_info,
            on_lost=lost.extend,
            is_stuck=lambda: stuck,
        )
        async with sending(heartbeat):
            yield lost
