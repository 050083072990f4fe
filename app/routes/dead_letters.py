"""Dead letters: jobs that failed for good, in groups and by filter."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Query, Request, Response, status

from app.core import control
from app.core.control import DeadLetterGroup
from app.core.http.routing import Router
from app.routes.deps.principals import requires, requires_recent
from app.routes.deps.request import resources_of
from app.schemas.job import JobAccepted
from app.schemas.operation import DeadLetterChange, Name
from app.services.dead_letter_service import DeadLetterService
from app.services.scope import Scope

router = Router(prefix="/dead-letters", tags=["dead_letters"])

Manager = Annotated[Scope, requires("jobs:manage")]
RECENT = [Depends(requires_recent(minutes=5))]


@router.get("/groups")
async def read_dead_letter_groups(
    scope: Annotated[Scope, requires("console:read")],  # noqa: ARG001  it guards the route
    request: Request,
    queue: Annotated[Name | None, Query(description="Only of this queue")] = None,
    name: Annotated[Name | None, Query(description="Only of this job class")] = None,
) -> list[DeadLetterGroup]:
    """Group the dead letters by queue, job class, and error class. The largest group is first."""
    sessions = resources_of(request).sessions
    return await control.group_dead_letters(sessions, queue=queue, name=name)


@router.post("/retry", status_code=status.HTTP_202_ACCEPTED, dependencies=RECENT)
async def retry_dead_letters(
    scope: Manager, data: DeadLetterChange, request: Request, response: Response
) -> JobAccepted:
    """Retry all dead letters that match, in the background. `Location` is the URL of the job."""
    return _accept(DeadLetterService(scope).request_change("retry", data), request, response)


@router.post("/discard", status_code=status.HTTP_202_ACCEPTED, dependencies=RECENT)
async def discard_dead_letters(
    scope: Manager, data: DeadLetterChange, request: Request, response: Response
) -> JobAccepted:
    """Delete all dead letters that match, in the background. `Location` is the URL of the job."""
    return _accept(DeadLetterService(scope).request_change("discard", data), request, response)


def _accept(job_id: UUID, request: Request, response: Response) -> JobAccepted:
    response.headers["Location"] = str(request.app.url_path_for("read_job", job_id=job_id))
    return JobAccepted(id=job_id)
