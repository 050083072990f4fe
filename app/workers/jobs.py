"""One handler per job: a job is a route that listens to Redis."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import structlog

from app.core.mailer import Mail
from app.models.signup_report import DayFigure
from app.schemas.jobs import (
    BuildSignupReport,
    DeleteExpired,
    SendAccountExists,
    SendEmailChange,
    SendEmailChangeNotice,
    SendEmailVerification,
    SendIdentityLinked,
    SendNewAccount,
    SendPasswordChanged,
    SendPasswordRecovery,
    SendSecondFactorChanged,
    SendTestEmail,
    SendWelcomeEmail,
)
from app.services.account_mails import AccountMails
from app.services.expiry import delete_expired_rows
from app.services.mails import test_mail
from app.services.report_service import ReportService
from app.workers.context import JobContext

log = structlog.stdlib.get_logger(__name__)

DAYS_PER_STEP = 7


async def send_welcome_email(ctx: JobContext, job: SendWelcomeEmail) -> None:
    await _send(ctx, lambda mails: mails.welcome(job.user_id))


async def send_new_account(ctx: JobContext, job: SendNewAccount) -> None:
    await _send(ctx, lambda mails: mails.new_account(job.user_id))


async def send_account_exists(ctx: JobContext, job: SendAccountExists) -> None:
    await _send(ctx, lambda mails: mails.account_exists(job.email))


async def send_email_verification(ctx: JobContext, job: SendEmailVerification) -> None:
    await _send(ctx, lambda mails: mails.verification(job.email))


async def send_password_recovery(ctx: JobContext, job: SendPasswordRecovery) -> None:
    await _send(ctx, lambda mails: mails.recovery(job.email))


async def send_password_changed(ctx: JobContext, job: SendPasswordChanged) -> None:
    await _send(ctx, lambda mails: mails.password_changed(job.user_id))


async def send_second_factor_changed(ctx: JobContext, job: SendSecondFactorChanged) -> None:
    await _send(ctx, lambda mails: mails.second_factor_changed(job.user_id, job.change))


async def send_identity_linked(ctx: JobContext, job: SendIdentityLinked) -> None:
    await _send(ctx, lambda mails: mails.identity_linked(job.user_id, job.provider))


async def send_email_change(ctx: JobContext, job: SendEmailChange) -> None:
    await _send(ctx, lambda mails: mails.email_change(job.user_id))


async def send_email_change_notice(ctx: JobContext, job: SendEmailChangeNotice) -> None:
    await _send(ctx, lambda mails: mails.email_change_notice(job.user_id, job.email))


async def send_test_email(ctx: JobContext, job: SendTestEmail) -> None:
    await ctx.mailer.send(test_mail(job.email, ctx.settings), key=str(ctx.job_id))


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


async def delete_expired(ctx: JobContext, job: DeleteExpired) -> None:  # noqa: ARG001  it says all by being there
    async with ctx.completion() as uow:
        await delete_expired_rows(uow)


async def _send(ctx: JobContext, compose: Callable[[AccountMails], Awaitable[Mail | None]]) -> None:
    """Send a mail outside of any transaction. A try that is repeated makes a link of its own."""
    async with ctx.unit_of_work() as uow:
        mail = await compose(AccountMails(uow, ctx.settings))
    if mail is None:
        log.info("mail.skipped", reason="nobody to write to, or nothing to say")
        return
    await ctx.mailer.send(mail, key=str(ctx.job_id))
