"""The queues: how each is doing, and what operators do to it while it runs."""

from typing import Annotated

from app.core import control
from app.core.control import QueueLimits, QueueOverview
from app.core.http.routing import Router
from app.routes.deps.principals import requires
from app.schemas.operation import Name, QueueLimitsUpdate, QueuesPublic, ReasonGiven
from app.services.operations import QueueOperations
from app.services.scope import Scope

router = Router(prefix="/queues", tags=["queues"])

Reader = Annotated[Scope, requires("console:read")]
Manager = Annotated[Scope, requires("queues:manage")]


@router.get("/")
async def read_queues(scope: Reader) -> QueuesPublic:
    """Show all queues. Rows are counted up to 10,000: `is_exact` is false where there are more."""
    seen = await control.overview(scope.reader, scope.queues)
    return QueuesPublic(
        data=[*seen.queues],
        unknown=[*seen.unknown],
        unavailable=[str(failure) for failure in seen.unavailable],
    )


@router.get("/{queue}")
async def read_queue(scope: Reader, queue: Name) -> QueueOverview:
    """Show one queue. Ages and durations are in seconds."""
    return await control.queue_overview(scope.reader, scope.queues, queue)


@router.post("/{queue}/pause")
async def pause_queue(scope: Manager, queue: Name, data: ReasonGiven) -> QueueLimits:
    """Start no further job of a queue. Running jobs go on."""
    scope.reason = data.reason
    return await QueueOperations(scope).pause(queue)


@router.post("/{queue}/resume")
async def resume_queue(scope: Manager, queue: Name, data: ReasonGiven) -> QueueLimits:
    """End a pause."""
    scope.reason = data.reason
    return await QueueOperations(scope).resume(queue)


@router.put("/{queue}/limits")
async def limit_queue(scope: Manager, queue: Name, data: QueueLimitsUpdate) -> QueueLimits:
    """Limit how many jobs start per second and run at once, over all workers."""
    scope.reason = data.reason
    return await QueueOperations(scope).limit(queue, rate=data.rate, concurrency=data.concurrency)
