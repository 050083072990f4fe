"""The live workers, and the crons, which run jobs on a schedule."""

from typing import Annotated

from fastapi import Request, status

from app.core import control
from app.core.control import CronStatus, WorkerRecord
from app.core.http.routing import Router
from app.routes.deps.principals import requires
from app.routes.deps.request import resources_of
from app.schemas.job import JobAccepted
from app.schemas.operation import Name, ReasonGiven
from app.services.cron_service import CronService
from app.services.scope import Scope

router = Router(tags=["workers"])

Reader = Annotated[Scope, requires("console:read")]


@router.get("/workers/")
async def read_workers(scope: Reader) -> list[WorkerRecord]:
    """List the live workers with the jobs that they run. Memory is in bytes."""
    return await control.all_live_workers(scope.queues)


@router.get("/crons/")
async def read_crons(scope: Reader, request: Request) -> list[CronStatus]:
    """List the crons with their last and their next run."""
    return await control.list_crons(resources_of(request).sessions, scope.queues)


@router.post("/crons/{cron}/run", status_code=status.HTTP_202_ACCEPTED)
async def run_cron(
    scope: Annotated[Scope, requires("jobs:manage")],
    cron: Name,
    data: ReasonGiven,
    request: Request,
) -> JobAccepted:
    """Enqueue the job of a cron now. The schedule does not change."""
    scope.reason = data.reason
    sessions = resources_of(request).sessions
    return JobAccepted(id=await CronService(scope, sessions).run_now(cron))
