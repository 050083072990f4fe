"""Adapters with which a stock arq worker serves the queues of this project.

This project's worker does not need them. They exist so that a rollback to arq loses no job.
Everything that depends on arq's worker is in this module. Assumptions:

- `arq` reads the attributes of the settings object that are parameters of `arq.worker.Worker`.
- A function gets arq's context with `job_id` and `job_try`, then `a` and `k` of the stored job.
- `arq.Retry` defers a job. Any other exception ends it and deletes its payload.
- `arq --check` looks for the key `QueueKeys.health_check`.
- arq reads `host` and `port` of RedisSettings each time it connects.
"""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any, TypedDict, cast
from uuid import UUID

from arq import Retry, func
from arq.connections import RedisSettings
from arq.typing import StartupShutdown, WorkerCoroutine
from arq.worker import Function
from pydantic import JsonValue
from pydantic_core import from_json
from redis.asyncio.retry import Retry as RedisRetry
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError as RedisConnectionError

from app.core.broker.message import StoredMessage, now_ms
from app.core.config import Settings
from app.core.queue import Queue
from app.core.redis import queue_address
from app.core.redis_connections.opening import blocking_sentinels
from app.core.resources import Resources
from app.core.urls.redis import RedisAddress
from app.core.worker.execution.attempt import (
    Attempt,
    Deferred,
    Failed,
    Incompatible,
    JobRunner,
    Succeeded,
)
from app.core.worker.execution.observers import Observers
from app.core.worker.execution.registry import Definition

Serving = Callable[[], AbstractAsyncContextManager[Resources]]

MARGIN = 10
"""Seconds between the job's timeout, which allows a retry, and arq's timeout, which does not."""


TLS_OPTIONS_OF_ARQ = {
    *("ssl_keyfile", "ssl_certfile", "ssl_cert_reqs"),
    *("ssl_ca_certs", "ssl_ca_data", "ssl_check_hostname"),
}


class ArqContext(TypedDict):
    """The part of arq's context that this project's jobs need."""

    job_id: str
    job_try: int
    runner: JobRunner


def as_arq_function(definition: Definition) -> Function:
    """Return a job and its handler as an arq function."""

    async def run(
        ctx: ArqContext,
        payload: dict[str, JsonValue],
        request_id: str | None = None,
        kept: bool = False,
    ) -> object:
        message = StoredMessage(definition.name, payload, request_id, kept, now_ms())
        attempt = Attempt(UUID(ctx["job_id"]), definition, message, ctx["job_try"])
        ending = await ctx["runner"].run(attempt)
        if isinstance(ending, Incompatible):
            ending = await ctx["runner"].fail(attempt, ending.error)
        match ending:
            case Succeeded(value):
                return from_json(value)
            case Deferred(seconds):
                raise Retry(defer=seconds)
            case Failed(error):
                raise error

    return func(
        cast("WorkerCoroutine", run),
        name=definition.name,
        timeout=definition.job.timeout + MARGIN,
        max_tries=definition.job.max_tries,
    )


def startup_and_shutdown(
    serving: Serving, observers: Observers
) -> tuple[StartupShutdown, StartupShutdown]:
    """Return the hooks with which arq opens and closes the resources of a worker."""
    stack = AsyncExitStack()

    async def startup(ctx: dict[Any, Any]) -> None:
        ctx["runner"] = JobRunner(await stack.enter_async_context(serving()), observers)

    async def shutdown(ctx: dict[Any, Any]) -> None:  # noqa: ARG001  arq's signature
        await stack.aclose()

    return startup, shutdown


def redis_settings(queue: Queue, settings: Settings) -> RedisSettings:
    """Return the address of a queue's Redis as arq's settings."""
    address = queue_address(queue, settings)
    options = address.options
    tls = {name: value for name, value in options.items() if name in TLS_OPTIONS_OF_ARQ}
    arguments: dict[str, Any] = {
        "host": options.get("host", "localhost"),
        "port": options.get("port", 6379),
        "unix_socket_path": options.get("path"),
        "database": address.database,
        "username": address.username,
        "password": address.password,
        "ssl": address.uses_tls,
        "retry": RedisRetry(ExponentialBackoff(cap=1, base=0.05), 60),
        "retry_on_error": [RedisConnectionError],
        **tls,
    }
    if address.service is None:
        return RedisSettings(**arguments)
    return SentinelSettings(address, settings, arguments)


class SentinelSettings(RedisSettings):
    """Finds the primary when arq reads its host, because arq does not support Sentinel passwords.

    After a failover, the stock worker must be restarted.
    """

    def __init__(
        self, address: RedisAddress, settings: Settings, arguments: dict[str, Any]
    ) -> None:
        super().__init__(**arguments)
        self._address, self._settings = address, settings

    def __getattribute__(self, name: str) -> object:
        if name in {"host", "port"}:
            sentinels = blocking_sentinels(self._address, self._settings)
            host, port = sentinels.discover_master(self._address.service)  # type: ignore[no-untyped-call]
            return host if name == "host" else port
        return super().__getattribute__(name)
