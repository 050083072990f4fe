"""The job classes: their statistics and recent failures."""

from typing import Annotated

from app.core import control
from app.core.control import JobClass, JobClassDetails
from app.core.http.routing import Router
from app.routes.deps.principals import requires
from app.schemas.operation import Name
from app.services.scope import Scope

router = Router(prefix="/job-classes", tags=["job_classes"])

Reader = Annotated[Scope, requires("console:read")]


@router.get("/")
async def read_job_classes(scope: Reader) -> list[JobClass]:
    """List the job classes of this release, with the tries of the last hour."""
    return await control.list_job_classes(scope.queues)


@router.get("/{name}")
async def read_job_class(scope: Reader, name: Name) -> JobClassDetails:
    """Show a job class: its fields, its code, the tries of the last day, and recent failures."""
    return await control.job_class_details(scope.queues, name)
