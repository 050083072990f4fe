"""Finds the handlers of a queue in a module. The job class declares the queue."""

import inspect
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, TypeVar, cast, get_type_hints

from app.core.queue import Job, Queue, job_classes
from app.workers.context import JobContext

SomeJob = TypeVar("SomeJob", bound=Job)
Handler = Callable[[JobContext, SomeJob], Awaitable[object]]
Handlers = Sequence[Handler[Any]]


class DuplicateHandler(TypeError):
    def __init__(self, job: type[Job], first: Handler[Any], second: Handler[Any]) -> None:
        super().__init__(
            f"{job.__name__} has two handlers, {_name(first)} and {_name(second)}. Remove one"
        )


class HandlerMissing(TypeError):
    def __init__(self, job: type[Job], module: ModuleType) -> None:
        super().__init__(
            f"{job.__name__} has no handler for the queue {job.queue.name!r}. Add one to "
            f"{module.__name__}: async def handler(ctx: JobContext, job: {job.__name__})"
        )


class WrongQueue(TypeError):
    def __init__(self, handler: Handler[Any], job: type[Job], queue: Queue) -> None:
        super().__init__(
            f"{_name(handler)} handles {job.__name__}, a job of the queue {job.queue.name!r}: "
            f"it cannot be a handler of the queue {queue.name!r}"
        )


@dataclass(frozen=True, slots=True)
class Definition:
    """A job and its handler."""

    job: type[Job]
    handler: Handler[Any]

    @property
    def name(self) -> str:
        return self.job.__name__


def definitions_of(handlers: Handlers, queue: Queue) -> list[Definition]:
    """Return each job with its handler. Raises WrongQueue for a job of another queue."""
    definitions = []
    for handler in handlers:
        for job in jobs_of(handler):
            if job.queue is not queue:
                raise WrongQueue(handler, job, queue)
            definitions.append(Definition(job, handler))
    return definitions


def handlers_in(module: ModuleType, queue: Queue) -> Handlers:
    """Return the handlers that a module defines for the jobs of a queue.

    A handler is a public function with a parameter `job`. Raises TypeError for a wrong signature,
    DuplicateHandler, or HandlerMissing if no function handles a job of the queue.
    """
    handlers = {job: handler for job, handler in _by_job(module).items() if job.queue is queue}
    for job in job_classes(Job):
        if job.queue is queue and job not in handlers and _application(job) == _application(module):
            raise HandlerMissing(job, module)
    return list(dict.fromkeys(handlers.values()))  # a handler of several jobs appears once


def jobs_of(handler: Handler[SomeJob]) -> list[type[SomeJob]]:
    """Return the job classes that a handler accepts, including the subclasses of its parameter.

    Raises TypeError for a wrong signature.
    """
    return list(job_classes(job_of(handler)))


def job_of(handler: Handler[SomeJob]) -> type[SomeJob]:
    """Return the class of a handler's `job` parameter.

    Raises TypeError unless it is `async def handler(ctx: JobContext, job: SomeJob)`.
    """
    job = get_type_hints(handler).get("job")
    if not (inspect.iscoroutinefunction(handler) and inspect.isclass(job) and issubclass(job, Job)):
        name = _name(handler)
        raise TypeError(f"{name} must be: async def handler(ctx: JobContext, job: <a Job>)")
    return cast("type[SomeJob]", job)


def _by_job(module: ModuleType) -> dict[type[Job], Handler[Any]]:
    handlers: dict[type[Job], Handler[Any]] = {}
    for name, function in vars(module).items():
        if name.startswith("_") or not _defines(module, function):
            continue
        for job in jobs_of(function):
            if job in handlers:
                raise DuplicateHandler(job, handlers[job], function)
            handlers[job] = function
    return handlers


def _defines(module: ModuleType, function: object) -> bool:
    return (
        inspect.isfunction(function)
        and function.__module__ == module.__name__
        and "job" in inspect.signature(function).parameters
    )


def _application(thing: type[Job] | ModuleType) -> str:
    """Return the top-level package. Another application in this process has its own workers."""
    name = thing.__name__ if isinstance(thing, ModuleType) else thing.__module__
    return name.partition(".")[0]


def _name(handler: Handler[Any]) -> str:
    return getattr(handler, "__qualname__", repr(handler))
