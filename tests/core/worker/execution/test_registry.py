from types import ModuleType

import pytest

from app.core.queue import EMAIL, Job, Queue
from app.core.worker import worker_settings
from app.core.worker.execution.registry import (
    DuplicateHandler,
    Handler,
    HandlerMissing,
    handlers_in,
    jobs_of,
)
from app.schemas.jobs import SendWelcomeEmail
from app.workers.context import JobContext

ART = Queue("art", redis_db=1, concurrency=1)
CRAFT = Queue("craft", redis_db=2, concurrency=1)


class Artwork(Job, queue=ART):
    """A base class of jobs."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__(queue=ART)


class Paint(Artwork): ...


class Sculpt(Artwork): ...


class Knit(Job, queue=CRAFT): ...


async def paint(ctx: JobContext, job: Paint) -> None: ...


async def paint_again(ctx: JobContext, job: Paint) -> None: ...


async def create(ctx: JobContext, job: Artwork) -> None: ...


async def sculpt(ctx: JobContext, job: Sculpt) -> None: ...


async def knit(ctx: JobContext, job: Knit) -> None: ...


async def lost(ctx: JobContext, job: str) -> None: ...


def sync(ctx: JobContext, job: Paint) -> None: ...


async def helper(ctx: JobContext) -> None: ...


def module_with(*functions: object) -> ModuleType:
    module = ModuleType(__name__)
    vars(module).update({getattr(each, "__name__"): each for each in functions})  # noqa: B009
    return module


def test_a_worker_finds_the_handlers_of_its_queue_in_a_module() -> None:
    module = module_with(paint, knit, helper, sculpt)

    assert handlers_in(module, ART) == [paint, sculpt]
    assert handlers_in(module, CRAFT) == [knit]


def test_one_handler_of_a_base_class_takes_every_job_derived_from_it() -> None:
    module = module_with(create, knit)

    assert handlers_in(module, ART) == [create]
    assert jobs_of(create) == [Paint, Sculpt]


def test_a_worker_with_two_handlers_for_one_job_does_not_start() -> None:
    with pytest.raises(DuplicateHandler, match="Paint has two handlers, paint and paint_again"):
        handlers_in(module_with(paint, paint_again, sculpt), ART)


def test_a_worker_without_a_handler_for_a_job_of_its_queue_does_not_start() -> None:
    with pytest.raises(HandlerMissing, match=r"Sculpt has no handler for the queue 'art'\. Add"):
        handlers_in(module_with(paint), ART)


@pytest.mark.parametrize("handler", [lost, sync])
def test_a_handler_that_does_not_take_a_job_is_rejected_by_name(handler: Handler[Job]) -> None:
    with pytest.raises(TypeError, match=rf"^{handler.__name__} must be: async def handler"):
        handlers_in(module_with(handler), ART)
    with pytest.raises(TypeError, match=rf"^{handler.__name__} must be: async def handler"):
        worker_settings(EMAIL, handlers=[handler])


def test_a_handler_in_a_list_for_another_queue_is_rejected_and_both_queues_are_named() -> None:
    async def welcome(ctx: JobContext, job: SendWelcomeEmail) -> None: ...

    with pytest.raises(TypeError, match=r"welcome.*SendWelcomeEmail.*'email'.*'craft'"):
        worker_settings(CRAFT, handlers=[welcome])
