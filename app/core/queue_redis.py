"""arq's client of one queue's Redis, which sends many jobs in one step."""

from collections.abc import Iterator, Sequence
from functools import cached_property

from arq import ArqRedis
from arq.jobs import serialize_job
from arq.utils import timestamp_ms, to_unix_ms

from app.core.envelope import Envelope
from app.core.scripts import Call, run_scripts
from app.core.wire import Argument, Wire

BATCH = 500
"""Jobs for one call of a script: Redis does nothing else meanwhile, and Lua has limits."""


class QueueRedis(ArqRedis):
    @cached_property
    def wire(self) -> Wire:
        """The quick way to the same server."""
        return Wire(self.connection_pool)

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        await self.wire.aclose()
        await super().aclose(close_connection_pool)

    async def send(self, envelopes: Sequence[Envelope]) -> None:
        """Put jobs on the queue, in this order and each id once, and wake a worker.

        Raises redis.exceptions.RedisError; some of the jobs may have been sent then.
        """
        queue = self.default_queue_name
        keys = [queue, f"{queue}:wake", f"{queue}:priority", f"{queue}:later"]
        for first in range(0, len(envelopes), BATCH):
            batch = envelopes[first : first + BATCH]
            arguments = [each for envelope in batch for each in self._arguments(envelope)]
            await run_scripts(self.wire, Call("send", keys, arguments))

    def _arguments(self, envelope: Envelope) -> Iterator[Argument]:
        options = {"request_id": envelope.request_id, "kept": envelope.kept}
        yield str(envelope.id)
        yield serialize_job(
            envelope.name,
            (envelope.payload,),
            options,
            None,
            timestamp_ms(),
            serializer=self.job_serializer,
        )
        yield to_unix_ms(envelope.due_at) if envelope.due_at else 0
        yield envelope.priority
