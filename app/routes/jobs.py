"""Background jobs: their state, search, and operator actions."""

from collections.abc import AsyncIterator
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Query, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent

from app.core import control
from app.core.control import FoundJobs, JobDetails, JobFilter, JobView, arguments_of
from app.core.http.routing import Router
from app.core.job_store.record import JobRecord
from app.routes.deps.job_stream import JobStream, Stream, open_job_stream
from app.routes.deps.principals import ClientScope, expiry_of, requires, requires_recent
from app.routes.deps.request import Limit, resources_of
from app.schemas.common import Moment
from app.schemas.job import JobAccepted, JobStatus
from app.schemas.operation import Name, ReasonGiven
from app.services.job_service import JobService
from app.services.operations import JobOperations
from app.services.scope import Scope

router = Router(prefix="/jobs", tags=["jobs"])

RECENT = [Depends(requires_recent(minutes=5))]


@router.get("/")
async def read_jobs(  # noqa: PLR0913, PLR0917  each filter is a parameter
    scope: Annotated[Scope, requires("console:read")],
    request: Request,
    state: Annotated[JobView, Query(description="The state of the jobs")],
    queue: Annotated[Name | None, Query(description="Only of this queue")] = None,
    name: Annotated[Name | None, Query(description="Only of this job class")] = None,
    error_class: Annotated[Name | None, Query(description="Only with this class of error")] = None,
    since: Annotated[Moment | None, Query(description="Only from this time")] = None,
    until: Annotated[Moment | None, Query(description="Only before this time")] = None,
    request_id: Annotated[Name | None, Query(description="Only of this request")] = None,
    argument: Annotated[
        list[Name] | None,
        Query(max_length=10, description="Only with an argument, such as user_id=42"),
    ] = None,
    cursor: Annotated[Name | None, Query(description="The cursor of the last page")] = None,
    limit: Limit = 50,
) -> FoundJobs:
    """List the jobs of a state that match, page by page. Pass `cursor` to get the next page."""
    filters = JobFilter(
        state=state,
        queue=queue,
        name=name,
        error_class=error_class,
        since=since,
        until=until,
        request_id=request_id,
        arguments=arguments_of(argument or []),
    )
    sessions = resources_of(request).sessions
    return await control.search_jobs(sessions, scope.queues, filters, cursor=cursor, limit=limit)


@router.get("/{job_id}/details")
async def read_job_details(
    scope: Annotated[Scope, requires("console:read")], request: Request, job_id: UUID
) -> JobDetails:
    """Show a job with its tries, its arguments, and the actions that its state allows."""
    return await control.job_details(resources_of(request).sessions, scope.queues, job_id)


@router.get("/{job_id}", response_model=JobStatus)
async def read_job(scope: ClientScope, job_id: UUID) -> JobRecord:
    """Return the state of a job. `progress` is a fraction from 0 to 1."""
    return await JobService(scope).get(job_id)


async def operations_of(
    scope: Annotated[Scope, requires("jobs:manage")], data: ReasonGiven, request: Request
) -> JobOperations:
    """Return the operations on jobs for an operator, who must give a reason."""
    scope.reason = data.reason
    return JobOperations(scope, resources_of(request).sessions)


Operations = Annotated[JobOperations, Depends(operations_of)]


@router.post("/{job_id}/retry")
async def retry_job(operations: Operations, job_id: UUID) -> JobAccepted:
    """Retry a job that failed for good, at once and with all of its tries."""
    await operations.retry(job_id)
    return JobAccepted(id=job_id)


@router.post("/{job_id}/discard", dependencies=RECENT)
async def discard_job(operations: Operations, job_id: UUID) -> JobAccepted:
    """Delete a dead letter."""
    await operations.discard(job_id)
    return JobAccepted(id=job_id)


@router.post("/{job_id}/cancel", dependencies=RECENT)
async def cancel_job(operations: Operations, job_id: UUID) -> JobAccepted:
    """Cancel a waiting or running job. The worker of a running job stops it within a second."""
    await operations.cancel(job_id)
    return JobAccepted(id=job_id)


async def stream_of_job(stream: Stream, scope: ClientScope, job_id: UUID) -> JobStream:
    return await open_job_stream(stream, scope, job_id, expires_at=await expiry_of(stream.request))


@router.get("/{job_id}/events", response_class=EventSourceResponse)
async def stream_job(
    stream: Annotated[JobStream, Depends(stream_of_job)],
) -> AsyncIterator[ServerSentEvent]:
    """Stream the current state of a job and every change as server-sent events.

    Each event has the same data as the state of the job. The stream ends after the final state. It
    also ends when the session ends or the access token expires.
    """
    async for event in stream:
        yield event
