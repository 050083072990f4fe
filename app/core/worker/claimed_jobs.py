"""How arq's `run_job` reads its job: from the claim, which has brought it already."""

from typing import Self, cast

from arq.constants import job_key_prefix
from redis.asyncio.client import Pipeline

from app.core.queue_redis import QueueRedis
from app.core.worker.claims import Claims


class ClaimedJobs(QueueRedis):
    """The queue's client, except that its pipelines know the claimed jobs and nothing else."""

    def __init__(self, redis: QueueRedis, claims: Claims) -> None:
        super().__init__(
            redis.connection_pool,
            job_serializer=redis.job_serializer,
            job_deserializer=redis.job_deserializer,
            default_queue_name=redis.default_queue_name,
            expires_extra_ms=redis.expires_extra_ms,
        )
        self._claims = claims

    def pipeline(self, *_: object, **__: object) -> Pipeline:
        return cast("Pipeline", Brought(self._claims))


class Brought:
    """Answers the three commands by which `run_job` begins without asking Redis again."""

    def __init__(self, claims: Claims) -> None:
        self._claims = claims

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None: ...

    def get(self, key: str) -> None:
        self._job_id = key.removeprefix(job_key_prefix)

    def incr(self, _: str) -> None:
        """The claim has counted the try."""

    def expire(self, _: str, __: int) -> None:
        """The count goes with the job, however long it waits."""

    async def execute(self) -> tuple[bytes | None, int, bool]:
        claim = self._claims[self._job_id]
        return claim.payload, claim.tries, True
