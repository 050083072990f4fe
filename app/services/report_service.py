from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

from sqlalchemy import Date, cast, func, select
from sqlalchemy.dialects.postgresql import insert

from app.core.exceptions import NotFound
from app.core.unit_of_work import UnitOfWork
from app.models import JobOwner, SignupReport, User
from app.models.signup_report import DayFigure
from app.schemas.jobs import BuildSignupReport
from app.schemas.role import Permission
from app.services.job_service import asked_for
from app.services.page import Page, page_of
from app.services.principal import Principal
from app.services.role_service import require

ONE_DAY = timedelta(days=1)


class ReportNotFound(NotFound):
    def __init__(self) -> None:
        super().__init__("Report not found")


class ReportService:
    """Reports on sign-ups; a day is a day in UTC."""

    def __init__(self, uow: UnitOfWork) -> None:
        self.uow = uow

    def request_signups(self, days: int, principal: Principal) -> UUID:
        """Have a report built in the background; the job's id is the report's id."""
        job_id = self.uow.enqueue(BuildSignupReport(days=days))
        self.uow.session.add(JobOwner(job_id=job_id, user_id=principal.user.id))
        return job_id

    async def read(self, report_id: UUID, principal: Principal) -> SignupReport:
        """Raises ReportNotFound, also while the report is being built.

        Raises NotEnoughPermissions for a report that somebody else asked for, without the
        permission `reports:read`.
        """
        report = await self.uow.session.get(SignupReport, report_id)
        if report is None:
            raise ReportNotFound
        own = await asked_for(self.uow, principal, report_id)
        if not (own and principal.covers(Permission.READ_REPORTS)):
            await require(self.uow, principal, Permission.READ_REPORTS)
        return report

    async def list_all(self, *, skip: int, limit: int) -> Page[SignupReport]:
        """List everybody's reports, newest first."""
        query = select(SignupReport).order_by(SignupReport.id.desc())
        return await page_of(self.uow, query, skip=skip, limit=limit)

    async def count_signups(self, first_day: date, last_day: date) -> list[DayFigure]:
        """Count the sign-ups of each day, both ends included, days without any as well."""
        day = cast(func.timezone("UTC", User.created_at), Date)
        rows = await self.uow.session.execute(
            select(day, func.count())
            .where(
                User.created_at >= _midnight(first_day),
                User.created_at < _midnight(last_day + ONE_DAY),
            )
            .group_by(day)
        )
        counts = {day: signups for day, signups in rows}  # noqa: C416  a Row is no tuple to mypy
        days = [first_day + ONE_DAY * i for i in range((last_day - first_day).days + 1)]
        return [{"date": day.isoformat(), "signups": counts.get(day, 0)} for day in days]

    async def save_signups(self, report_id: UUID, days: list[DayFigure]) -> None:
        """Store a report. A job that runs a second time changes nothing."""
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
