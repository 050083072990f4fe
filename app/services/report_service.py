from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

from sqlalchemy import Date, bindparam, cast, func, select
from sqlalchemy.dialects.postgresql import insert

from app.core.exceptions import NotFound
from app.models import JobOwner, SignupReport, User
from app.models.signup_report import DailySignups
from app.schemas.common import Page
from app.schemas.jobs import BuildSignupReport
from app.schemas.report import SignupReportPublic
from app.schemas.role import Permission
from app.services.columns import select_as
from app.services.job_access import require_own_job
from app.services.scope import Scope

ONE_DAY = timedelta(days=1)

_OWNER = insert(JobOwner)
_REPORTS = select_as(SignupReportPublic, SignupReport)
_BY_ID = _REPORTS.where(SignupReport.id == bindparam("report_id"))
_NEWEST_FIRST = _REPORTS.order_by(SignupReport.id.desc())
_OWN = _NEWEST_FIRST.join(JobOwner, JobOwner.job_id == SignupReport.id).where(
    JobOwner.user_id == bindparam("user_id")
)


class ReportNotFound(NotFound):
    def __init__(self) -> None:
        super().__init__("Report not found")


class ReportService:
    """Reports on sign-ups. A day is a day in UTC."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.uow = scope.uow

    def request_signups(self, days: int) -> UUID:
        """Enqueue a job that builds a report. The job's id is the report's id."""
        job_id = self.uow.enqueue(BuildSignupReport(days=days))
        self.uow.insert_at_end(_OWNER, job_id=job_id, user_id=self.scope.principal.user_id)
        return job_id

    async def read(self, report_id: UUID) -> SignupReportPublic:
        """Raise ReportNotFound, also while the report is being built.

        Raise NotEnoughPermissions for the report of another user, unless the caller has the
        permission `reports:read`.
        """
        report = await self.scope.reader.one(SignupReportPublic, _BY_ID, report_id=report_id)
        if report is None:
            raise ReportNotFound
        await require_own_job(self.scope, report_id, Permission.READ_REPORTS)
        return report

    async def list_all(self, *, skip: int, limit: int) -> Page[SignupReportPublic]:
        """List the reports of all users, newest first."""
        return await self.scope.reader.page(
            Page[SignupReportPublic], _NEWEST_FIRST, skip=skip, limit=limit
        )

    async def list_own(self, *, skip: int, limit: int) -> Page[SignupReportPublic]:
        """List the reports that the user has requested, newest first."""
        return await self.scope.reader.page(
            Page[SignupReportPublic],
            _OWN,
            user_id=self.scope.principal.user_id,
            skip=skip,
            limit=limit,
        )

    async def count_signups(self, first_day: date, last_day: date) -> list[DailySignups]:
        """Count the sign-ups of each day, including days without any."""
        day = cast(func.timezone("UTC", User.created_at), Date)
        rows = await self.uow.session.execute(
            select(day, func.count())
            .where(
                User.created_at >= _midnight(first_day),
                User.created_at < _midnight(last_day + ONE_DAY),
            )
            .group_by(day)
        )
        counts = {day: signups for day, signups in rows}  # noqa: C416  mypy does not accept a Row as a tuple
        days = [first_day + ONE_DAY * i for i in range((last_day - first_day).days + 1)]
        return [{"date": day.isoformat(), "signups": counts.get(day, 0)} for day in days]

    async def save_signups(self, report_id: UUID, days: list[DailySignups]) -> None:
        """Store a report. A second run of the job changes nothing."""
        report = insert(SignupReport).values(
            id=report_id,
            first_day=date.fromisoformat(days[0]["date"]),
            last_day=date.fromisoformat(days[-1]["date"]),
            total=sum(day["signups"] for day in days),
            days=days,
        )
        await self.uow.session.execute(report.on_conflict_do_nothing())


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=UTC)
