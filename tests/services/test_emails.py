"""The text, the recipient, and the links of emails."""

import pytest

from app.core.mailer import EmailMessage
from app.core.resources import Resources
from app.core.worker.email_settings import WorkerSettings as EmailWorker
from app.schemas.jobs import (
    EarlierNotice,
    EmailJob,
    SendAccountExists,
    SendEmailVerification,
    SendPasswordRecovery,
    SendTestEmail,
)
from app.services.emails.composer import compose
from app.services.emails.draft import NothingToSend
from dev.mail_catcher import MailCatcher
from tests.support.accounts import ADA, create_user, open_anonymous_scope
from tests.support.service import with_settings
from tests.support.workers import RunWorker


async def composed(resources: Resources, job: EmailJob) -> EmailMessage:
    async with open_anonymous_scope(resources) as scope:
        return await compose(scope, job)


async def test_both_forms_of_an_email_greet_the_user_by_name(resources: Resources) -> None:
    ada = await create_user(resources)
    email = await composed(resources, SendPasswordRecovery(email=ada.email))

    assert (email.to, email.subject) == (ADA["email"], "Password recovery")
    assert "Hello Ada," in email.text
    assert "Hello Ada," in email.html


async def test_the_title_of_the_html_is_the_subject(resources: Resources) -> None:
    email = await composed(resources, SendTestEmail(email="ada@example.com"))

    assert f"<title>{email.subject}</title>" in email.html


async def test_links_lead_to_the_front_end_where_there_is_one(resources: Resources) -> None:
    ada = await create_user(resources)
    front_end = with_settings(resources, front_end_url="https://shop.example.com/account/")
    recovery = await composed(front_end, SendPasswordRecovery(email=ada.email))
    exists = await composed(front_end, SendAccountExists(email=ada.email))

    assert "https://shop.example.com/account/reset-password?token=" in recovery.text
    assert "Log in: https://shop.example.com/account/" in exists.text
    assert "service.example.com" not in recovery.html + exists.html


async def test_links_lead_to_the_service_where_there_is_no_front_end(resources: Resources) -> None:
    ada = await create_user(resources)
    recovery = await composed(resources, SendPasswordRecovery(email=ada.email))

    assert "https://service.example.com/reset-password?token=" in recovery.text


async def test_every_try_writes_a_new_link(resources: Resources) -> None:
    ada = await create_user(resources, confirmed=False)
    job = SendEmailVerification(email=ada.email)

    assert (await composed(resources, job)).text != (await composed(resources, job)).text


async def test_an_address_without_an_account_gets_no_email(resources: Resources) -> None:
    with pytest.raises(NothingToSend, match="No active account has the address"):
        await composed(resources, SendPasswordRecovery(email="unknown@example.com"))


EARLIER = {
    "SendPasswordChanged": ({}, "Your password was changed"),
    "SendSecondFactorChanged": ({"change": "removed"}, "Your second factor was removed"),
    "SendIdentityLinked": ({"provider": "acme"}, "Your account has a new login method"),
    "SendEmailChangeNotice": ({"email": "old@example.com"}, "A change of your email was requested"),
}


@pytest.mark.parametrize("name", EARLIER)
async def test_a_notice_that_an_earlier_release_has_enqueued_is_still_sent(
    committing_resources: Resources, run_worker: RunWorker, mail_catcher: MailCatcher, name: str
) -> None:
    """The job waits in Redis during the deploy of a release that no longer enqueues it."""
    fields, subject = EARLIER[name]
    ada = await create_user(committing_resources)
    job_class = {job.__name__: job for job in EarlierNotice.__subclasses__()}[name]
    notice = job_class.model_validate({"user_id": ada.id, **fields})
    await committing_resources.queues.send(notice)
    await run_worker(EmailWorker, using=committing_resources)

    email = await mail_catcher.anext()
    assert (email.to, email.subject) == ([fields.get("email", ada.email)], subject)
    assert "This wasn't me: https://service.example.com/recover-password" in (email.text or "")
