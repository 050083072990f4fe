"""The handlers of jobs: one per job, and one for all emails."""

from datetime import UTC, datetime, timedelta

import structlog
from pydantic import JsonValue

from app.models.signup_report import DailySignups
from app.schemas import jobs
from app.services.cleanup_service import delete_expired_rows
from app.services.emails.composer import compose
from app.services.emails.draft import NothingToSend
from app.services.personal_data.deletion import delete_due_accounts
from app.services.personal_data.export_service import PersonalDataService
from app.services.report_service import ReportService
from app.workers.context import JobContext

log = structlog.stdlib.get_logger(__name__)

DAYS_PER_STEP = 7


async def send_email(ctx: JobContext, job: jobs.EmailJob) -> None:
    """Send an email outside of a transaction. A retry creates a new link."""
    try:
        async with ctx.scope() as scope:
            email = await compose(scope, job)
    except NothingToSend as reason:
        log.info("email.skipped", reason=str(reason))
        return
    await ctx.mailer.send(email, key=str(ctx.job_id))


async def export_personal_data(ctx: JobContext, job: jobs.ExportPersonalData) -> None:
    async with ctx.scope() as scope:
        archive = await PersonalDataService(scope).build(job.user_id)
    async with ctx.completion() as scope:
        await PersonalDataService(scope).store(job.user_id, archive)


async def build_signup_report(ctx: JobContext, job: jobs.BuildSignupReport) -> dict[str, str]:
    """Count week by week, so that each query is short and the progress is visible."""
    today = datetime.now(UTC).date()
    days: list[DailySignups] = []
    for first in range(0, job.days, DAYS_PER_STEP):
        last = min(first + DAYS_PER_STEP, job.days) - 1
        start = today - timedelta(days=job.days - 1)
        async with ctx.scope() as scope:
            days += await ReportService(scope).count_signups(
                start + timedelta(days=first), start + timedelta(days=last)
            )
        await ctx.progress(len(days) / job.days, f"counted {len(days)} of {job.days} days")
    async with ctx.completion() as scope:
        await ReportService(scope).save_signups(ctx.job_id, days)
    return {"report_id": str(ctx.job_id)}


async def change_dead_letters(ctx: JobContext, job: jobs.ChangeDeadLetters) -> dict[str, JsonValue]:
    """Retry or discard dead letters in batches. A retry continues after the last batch."""
    from app.core import control  # noqa: PLC0415  few workers need it

    filters = control.JobFilter(
        state=control.JobView.DEAD,
        queue=job.in_queue,
        name=job.name,
        error_class=job.error_class,
        since=job.since,
        until=job.until,
        request_id=job.request_id,
        arguments=job.arguments,
    )

    async def show(result: control.BulkResult) -> None:
        await ctx.progress(result.fraction, str(result))

    result = await control.change_dead_letters(
        ctx.resources.sessions,
        ctx.resources.queues,
        control.BulkAction(job.action),
        filters,
        show,
    )
    return {"done": result.done, "refused": result.refused, "summary": str(result)}


async def delete_expired(ctx: JobContext, job: jobs.DeleteExpired) -> None:  # noqa: ARG001  the job has no arguments
    await delete_due_accounts(ctx.scope)
    await delete_expired_rows(ctx.scope, ctx.settings)
