"""The queues: their state, and operator actions."""

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
    """Show all queues. Rows are counted up to 10,000. `is_exact` is false if there are more."""
    overview = await control.overview(scope.reader, scope.queues)
    return QueuesPublic(
        data=[*overview.queues],
        unknown=[*overview.unknown],
        unavailable=[str(failure) for failure in overview.unavailable],
    )


@router.get("/{queue}")
async def read_queue(scope: Reader, queue: Name) -> QueueOverview:
    """Show one queue. Ages and durations are in seconds."""
    return await control.queue_overview(scope.reader, scope.queues, queue)


@router.post("/{queue}/pause")
async def pause_queue(scope: Manager, queue: Name, data: ReasonGiven) -> QueueLimits:
    """Pause a queue: no further job starts, and running jobs continue."""
    scope.reason = data.reason
    return await QueueOperations(scope).pause(queue)


@router.post("/{queue}/resume")
async def resume_queue(scope: Manager, queue: Name, data: ReasonGiven) -> QueueLimits:
    """Resume a paused queue."""
    scope.reason = data.reason
    return await QueueOperations(scope).resume(queue)


@router.put("/{queue}/limits")
async def limit_queue(scope: Manager, queue: Name, data: QueueLimitsUpdate) -> QueueLimits:
    """Limit how many jobs start per second and run at once, across all workers."""
    scope.reason = data.reason
    return await QueueOperations(scope).limit(queue, rate=data.rate, concurrency=data.concurrency)
