from uuid import UUID

from fastapi import APIRouter, Request, Response, status

from app.models import SignupReport
from app.routes.deps import Uow
from app.schemas.job import JobAccepted
from app.schemas.report import SignupReportPublic, SignupReportRequest
from app.services.report_service import ReportService

router = APIRouter(prefix="/reports", tags=["reports"])


@router.post("/signups", status_code=status.HTTP_202_ACCEPTED)
async def request_signup_report(
    uow: Uow, wish: SignupReportRequest, request: Request, response: Response
) -> JobAccepted:
    """Have a report built in the background. `Location` tells where to follow the job."""
    job_id = ReportService(uow).request_signups(wish.days)
    response.headers["Location"] = str(request.app.url_path_for("read_job", job_id=job_id))
    return JobAccepted(id=job_id)


@router.get("/{report_id}", response_model=SignupReportPublic)
async def read_report(uow: Uow, report_id: UUID) -> SignupReport:
    return await ReportService(uow).get(report_id)
