"""One handler per job: a job is a route that listens to Redis."""

from datetime import UTC, datetime, timedelta

import structlog

from app.models.signup_report import DayFigure
from app.schemas.jobs import BuildSignupReport, SendWelcomeEmail
from app.services.report_service import ReportService
from app.services.user_service import UserNotFound, UserService
from app.services.welcome_mail import welcome_mail
from app.workers.context import JobContext

log = structlog.stdlib.get_logger(__name__)

DAYS_PER_STEP = 7


async def send_welcome_email(ctx: JobContext, job: SendWelcomeEmail) -> None:
    async with ctx.unit_of_work() as uow:
        try:
            user = await UserService(uow).get(job.user_id)
        except UserNotFound:
            log.info("welcome_email.skipped", reason="the user is gone")
            return
    await ctx.mailer.send(welcome_mail(user, ctx.settings), key=str(ctx.job_id))


async def build_signup_report(ctx: JobContext, job: BuildSignupReport) -> dict[str, str]:
    """Count week by week, so that no query is long and progress can be seen."""
    today = datetime.now(UTC).date()
    figures: list[DayFigure] = []
    for first in range(0, job.days, DAYS_PER_STEP):
        last = min(first + DAYS_PER_STEP, job.days) - 1
        start = today - timedelta(days=job.days - 1)
        async with ctx.unit_of_work() as uow:
            figures += await ReportService(uow).count_signups(
                start + timedelta(days=first), start + timedelta(days=last)
            )
        await ctx.progress(len(figures) / job.days)
    async with ctx.completion() as uow:
        await ReportService(uow).save_signups(ctx.job_id, figures)
    return {"report_id": str(ctx.job_id)}
