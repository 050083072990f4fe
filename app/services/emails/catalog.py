"""All emails. One function per email returns its recipient, subject, and template values.

The function's `job` parameter selects it, and its templates in `templates/email/` have its name.
It raises NothingToSend if the email is no longer needed.
"""

from datetime import UTC, datetime

from app.models import Alert, SecurityAlert
from app.schemas import jobs
from app.services.emails.alerts import TEXTS, draft_alert
from app.services.emails.draft import Draft, NothingToSend
from app.services.emails.links import (
    new_email_link,
    page_link,
    password_link,
    personal_data_link,
    verification_link,
)
from app.services.emails.recipients import find_active_user, find_user
from app.services.scope import Scope
from app.services.user_service import UserService


async def welcome_email(scope: Scope, job: jobs.SendWelcomeEmail) -> Draft:
    user = await find_user(scope, job.user_id, email=job.email)
    return Draft.to(user, "Welcome", link=await verification_link(scope, user))


async def new_account(scope: Scope, job: jobs.SendNewAccount) -> Draft:
    user = await find_user(scope, job.user_id, email=job.email)
    link = await password_link(scope, user, lifetime=scope.settings.invitation_link_lifetime)
    return Draft.to(user, "Your new account", link=link)


async def account_exists(scope: Scope, job: jobs.SendAccountExists) -> Draft:
    user = await find_active_user(scope, job.email)
    return Draft.to(user, "You have an account", link=page_link(scope))


async def email_verification(scope: Scope, job: jobs.SendEmailVerification) -> Draft:
    user = await find_active_user(scope, job.email)
    if user.email_verified_at is not None:
        raise NothingToSend("The address is already verified")
    return Draft.to(user, "Confirm your email", link=await verification_link(scope, user))


async def password_recovery(scope: Scope, job: jobs.SendPasswordRecovery) -> Draft:
    user = await find_active_user(scope, job.email)
    lifetime = scope.settings.recovery_link_lifetime
    link = await password_link(scope, user, lifetime=lifetime)
    return Draft.to(user, "Password recovery", link=link, minutes=lifetime // 60)


async def email_change(scope: Scope, job: jobs.SendEmailChange) -> Draft:
    user = await find_user(scope, job.user_id)
    new_email, expires_at = user.new_email, user.new_email_expires_at
    if new_email is None or expires_at is None or expires_at <= datetime.now(UTC):
        raise NothingToSend("The change of address is no longer pending")
    if job.email not in {None, new_email}:
        raise NothingToSend("Another address is pending now")
    owner = await UserService(scope).find_by_email(new_email)
    if owner is not None and owner.id != user.id:
        # The requesting user cannot see a difference to a free address.
        return Draft.to(owner, "You have an account", "address_taken", link=page_link(scope))
    link = await new_email_link(scope, user, new_email, expires_at)
    return Draft(new_email, "Confirm your new email", {"link": link})


async def security_alert(scope: Scope, job: jobs.SendSecurityAlert) -> Draft:
    alert = await scope.uow.session.get(SecurityAlert, job.alert_id)
    if alert is None or alert.expires_at <= datetime.now(UTC):
        raise NothingToSend("The alert was reported or has expired, or its account was deleted")
    return await draft_alert(scope, alert)


async def account_deleted(scope: Scope, job: jobs.SendAccountDeleted) -> Draft:
    values = {"link": page_link(scope), "by_user": job.by_user}
    return Draft(job.email, "Your account was deleted", values)


async def personal_data(scope: Scope, job: jobs.SendPersonalData) -> Draft:
    user = await find_user(scope, job.user_id, email=job.email)
    lifetime = scope.settings.personal_data_link_lifetime
    link = await personal_data_link(scope, user, lifetime=lifetime)
    return Draft.to(user, "Your personal data", link=link, hours=lifetime // 3600)


async def test_email(scope: Scope, job: jobs.SendTestEmail) -> Draft:
    return Draft(job.email, "Test email", {"link": page_link(scope)})


async def earlier_notice(scope: Scope, job: jobs.EarlierNotice) -> Draft:
    user = await find_user(scope, job.user_id)
    recipient, provider = user.email, ""
    match job:
        case jobs.SendSecondFactorChanged(change=change):
            alert = Alert(f"second_factor.{change}")
        case jobs.SendIdentityLinked():
            alert, provider = Alert.NEW_IDENTITY, job.provider
        case jobs.SendEmailChangeNotice():
            alert, recipient = Alert.EMAIL_CHANGE_REQUESTED, job.email
        case _:
            alert = Alert.PASSWORD_CHANGED
    subject, sentence = TEXTS[alert]
    link = page_link(scope, "recover-password")
    return Draft(recipient, subject, {"sentence": sentence.format(provider=provider), "link": link})
