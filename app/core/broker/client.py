"""arq's client of a queue's Redis, extended to send many jobs in one call."""

from collections.abc import Iterator, Sequence
from functools import cached_property

from arq import ArqRedis

from app.core.broker.keys import QueueKeys
from app.core.broker.message import Envelope
from app.core.broker.scripts import Call, run_scripts
from app.core.redis_connections.multiplexed import Argument, MultiplexedConnection

BATCH = 50
"""Jobs per script call, which blocks this process and Redis for about half a millisecond."""


class QueueRedis(ArqRedis):
    queue_keys: QueueKeys

    @cached_property
    def multiplexed(self) -> MultiplexedConnection:
        """A faster connection to the same server."""
        return MultiplexedConnection(self.connection_pool)

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        await self.multiplexed.aclose()
        await super().aclose(close_connection_pool)

    async def send(self, envelopes: Sequence[Envelope]) -> None:
        """Send jobs in this order, each id once, and wake a worker.

        Raises redis.exceptions.RedisError. Some of the jobs may then have been sent.
        """
        for first in range(0, len(envelopes), BATCH):
            batch = envelopes[first : first + BATCH]
            arguments = [each for envelope in batch for each in _arguments(envelope)]
            await run_scripts(self.multiplexed, Call("send", self.queue_keys, arguments))


def _arguments(envelope: Envelope) -> Iterator[Argument]:
    yield str(envelope.id)
    yield envelope.encode()
    yield round(envelope.due_at.timestamp() * 1000) if envelope.due_at else 0
    yield envelope.priority
