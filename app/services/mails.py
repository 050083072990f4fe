"""What the mails say: each is a pair of templates, with the link that it is sent for."""

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from app.core.config import Settings
from app.core.mailer import Mail
from app.models import User
from app.schemas.jobs import FactorChange

templates = Environment(
    loader=PackageLoader("app"),
    autoescape=select_autoescape(["html"]),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)

FACTOR_CHANGES: dict[FactorChange, str] = {
    "set_up": "Your second factor was set up",
    "removed": "Your second factor was removed",
    "recovery_codes_renewed": "Your recovery codes were replaced",
    "recovery_code_used": "A recovery code was used",
}


def welcome_mail(user: User, settings: Settings, token: str) -> Mail:
    return _mail(
        "welcome", user.email, "Welcome", user, link=_link(settings, "verify-email", token)
    )


def verification_mail(user: User, settings: Settings, token: str) -> Mail:
    link = _link(settings, "verify-email", token)
    return _mail("verify_email", user.email, "Confirm your email", user, link=link)


def new_account_mail(user: User, settings: Settings, token: str) -> Mail:
    link = _link(settings, "reset-password", token)
    return _mail("new_account", user.email, "Your new account", user, link=link, email=user.email)


def recovery_mail(user: User, settings: Settings, token: str) -> Mail:
    link = _link(settings, "reset-password", token)
    minutes = settings.recovery_link_lifetime // 60
    return _mail("recovery", user.email, "Password recovery", user, link=link, minutes=minutes)


def account_exists_mail(user: User, settings: Settings) -> Mail:
    link = str(settings.public_url)
    return _mail("account_exists", user.email, "You have an account", user, link=link)


def password_changed_mail(user: User, settings: Settings) -> Mail:
    link = f"{settings.public_url}recover-password"
    return _mail("password_changed", user.email, "Your password was changed", user, link=link)


def second_factor_changed_mail(user: User, change: FactorChange, settings: Settings) -> Mail:
    link = f"{settings.public_url}recover-password"
    what = FACTOR_CHANGES[change]
    return _mail("second_factor_changed", user.email, what, user, link=link, what=what)


def identity_linked_mail(user: User, provider: str, settings: Settings) -> Mail:
    link = f"{settings.public_url}recover-password"
    subject = "Your account has a new way in"
    return _mail("identity_linked", user.email, subject, user, link=link, provider=provider)


def email_change_mail(user: User, new_email: str, settings: Settings, token: str) -> Mail:
    link = _link(settings, "verify-email", token)
    return _mail("email_change", new_email, "Confirm your new email", user, link=link)


def email_change_notice_mail(user: User, old_email: str, settings: Settings) -> Mail:
    link = f"{settings.public_url}recover-password"
    return _mail("email_change_notice", old_email, "Your email is to change", user, link=link)


def test_mail(email: str, settings: Settings) -> Mail:
    return _render("test", email, "Test email", link=str(settings.public_url), name=email)


def _link(settings: Settings, page: str, token: str) -> str:
    """Build a link from PUBLIC_URL alone: a Host header would let others choose where it leads."""
    return f"{settings.public_url}{page}?token={token}"


def _mail(template: str, to: str, subject: str, user: User, **values: str | int) -> Mail:
    return _render(template, to, subject, name=user.full_name or user.email, **values)


def _render(template: str, to: str, subject: str, **values: str | int) -> Mail:
    return Mail(
        to=to,
        subject=subject,
        text=templates.get_template(f"mail/{template}.txt").render(values),
        html=templates.get_template(f"mail/{template}.html").render(values),
    )
