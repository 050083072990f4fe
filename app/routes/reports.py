from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response, status

from app.models import SignupReport
from app.routes.deps import Limit, PersonOrProgram, Skip, Uow, requires
from app.schemas.fields import Page
from app.schemas.job import JobAccepted
from app.schemas.report import SignupReportPublic, SignupReportRequest
from app.services import page
from app.services.principal import Principal
from app.services.report_service import ReportService

router = APIRouter(prefix="/reports", tags=["reports"])


@router.post("/signups", status_code=status.HTTP_202_ACCEPTED)
async def request_signup_report(
    uow: Uow,
    principal: Annotated[Principal, Depends(requires("reports:create"))],
    wish: SignupReportRequest,
    request: Request,
    response: Response,
) -> JobAccepted:
    """Have a report built in the background. `Location` tells where to follow the job."""
    job_id = ReportService(uow).request_signups(wish.days, principal)
    response.headers["Location"] = str(request.app.url_path_for("read_job", job_id=job_id))
    return JobAccepted(id=job_id)


@router.get(
    "/",
    dependencies=[Depends(requires("reports:read"))],
    response_model=Page[SignupReportPublic],
)
async def read_reports(uow: Uow, skip: Skip = 0, limit: Limit = 100) -> page.Page[SignupReport]:
    """List all reports, newest first."""
    return await ReportService(uow).list_all(skip=skip, limit=limit)


@router.get("/{report_id}", response_model=SignupReportPublic)
async def read_report(uow: Uow, principal: PersonOrProgram, report_id: UUID) -> SignupReport:
    """Read a report that one asked for, or any with the permission `reports:read`."""
    return await ReportService(uow).read(report_id, principal)
