"""An example of background jobs: reports about sign-ups."""

from typing import Annotated
from uuid import UUID

from fastapi import Request, Response, status

from app.core.http.routing import Router
from app.routes.deps.principals import ClientScope, one_round_trip, requires
from app.routes.deps.request import Limit, Skip
from app.schemas.common import Page
from app.schemas.job import JobAccepted
from app.schemas.report import SignupReportPublic, SignupReportRequest
from app.services.report_service import ReportService
from app.services.scope import Scope

router = Router(prefix="/reports", tags=["reports"])


@router.post("/signups", status_code=status.HTTP_202_ACCEPTED)
async def request_signup_report(
    scope: Annotated[Scope, requires("reports:create")],
    data: SignupReportRequest,
    request: Request,
    response: Response,
) -> JobAccepted:
    """Build a report in the background. `Location` is the URL of the job."""
    job_id = ReportService(scope).request_signups(data.days)
    response.headers["Location"] = str(request.app.url_path_for("read_job", job_id=job_id))
    return JobAccepted(id=job_id)


@router.get("/")
async def read_reports(
    scope: Annotated[Scope, requires("reports:read")], skip: Skip = 0, limit: Limit = 100
) -> Page[SignupReportPublic]:
    """List the reports of all users, newest first."""
    return await ReportService(scope).list_all(skip=skip, limit=limit)


@router.get("/{report_id}")
@one_round_trip
async def read_report(scope: ClientScope, report_id: UUID) -> SignupReportPublic:
    """Read a report that the user requested, or any report with the permission `reports:read`."""
    return await ReportService(scope).read(report_id)
