"""How a stock arq worker serves our queues: the same jobs, described in arq's terms.

Our own worker does not need this module. It exists so that a rollback to arq loses nothing.
Everything that depends on arq's worker is here. Assumptions:

- `arq` reads the attributes of the settings object that are parameters of `arq.worker.Worker`.
- A function gets arq's context with `job_id` and `job_try`, then `a` and `k` of the stored job.
- `arq.Retry` puts a job off; any other exception ends it and deletes its payload.
- `arq --check` looks for the key `QueueKeys.health_check`.
"""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any, TypedDict, cast
from uuid import UUID

from arq import Retry, func
from arq.typing import StartupShutdown, WorkerCoroutine
from arq.worker import Function
from pydantic import JsonValue
from pydantic_core import from_json

from app.core.broker.message import StoredMessage, now_ms
from app.core.resources import Resources
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
"""Seconds by which arq's timeout comes after ours, which allows another try."""


class ArqContext(TypedDict):
    """The part of arq's context that a job of ours needs."""

    job_id: str
    job_try: int
    runner: JobRunner


def as_arq_function(definition: Definition) -> Function:
    """Return a job and its handler as a function of arq."""

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
    """Return the two hooks by which arq opens and closes what a worker holds."""
    stack = AsyncExitStack()

    async def startup(ctx: dict[Any, Any]) -> None:
        ctx["runner"] = JobRunner(await stack.enter_async_context(serving()), observers)

    async def shutdown(ctx: dict[Any, Any]) -> None:  # noqa: ARG001  arq's signature
        await stack.aclose()

    return startup, shutdown
