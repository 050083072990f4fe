"""Settings of Redis, the queues, and their workers."""

from collections.abc import Iterator

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from app.core.configuration.group import SettingGroup
from app.core.configuration.passwords import url_problems
from app.core.configuration.types import RedisUrl

EXAMPLE = "redis://:password@host:6379"


class QueueSettings(SettingGroup):
    """The URLs of Redis, the retention of results, and the time limits of workers."""

    redis_url: RedisUrl = Field("redis://localhost:6379", repr=False)
    queue_redis_urls: dict[str, RedisUrl] = Field(default_factory=dict, repr=False)
    redis_timeout: PositiveFloat = 2

    worker_grace_period: PositiveInt = 30
    job_result_ttl: PositiveInt = 86_400
    incompatible_job_timeout: NonNegativeFloat = 3_600

    def production_problems(self) -> Iterator[str]:
        missing = "redis_url" not in self.model_fields_set
        yield from url_problems("REDIS_URL", self.redis_url, missing=missing, example=EXAMPLE)
        for name, url in self.queue_redis_urls.items():
            variable = f"QUEUE_{name.upper()}_REDIS_URL"
            yield from url_problems(variable, url, missing=False, example=EXAMPLE)
