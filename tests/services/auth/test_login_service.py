import pytest
from sqlalchemy import func, select, update

from app.core.exceptions import SecondFactorRequired
from app.core.resources import Resources
from app.models import AuditEvent, MfaChallenge, User, UserSession
from app.services.auth.login_service import (
    EmailNotVerified,
    InactiveUser,
    IncorrectLogin,
    LoginService,
)
from app.services.auth.session_service import Tokens
from tests.support.accounts import PASSWORD, Person, create_user, open_anonymous_scope
from tests.support.authenticator import enroll_authenticator
from tests.support.service import with_settings


async def log_in(resources: Resources, email: str, password: str = PASSWORD) -> Tokens:
    async with open_anonymous_scope(resources) as scope:
        return await LoginService(scope).log_in(email, password)


async def events(resources: Resources) -> list[tuple[str, object]]:
    """Return the login events of the audit trail, with the reasons of refusals."""
    rows = await resources.reader.all(select(AuditEvent.event, AuditEvent.details))
    return [(event, details.get("reason")) for event, details in rows]


async def count(resources: Resources, table: type[MfaChallenge | UserSession]) -> int | None:
    return await resources.reader.scalar(select(func.count()).select_from(table))


async def test_the_right_password_starts_a_session(resources: Resources, ada: Person) -> None:
    await log_in(resources, ada.email.upper())

    assert await count(resources, UserSession) == 2, "the one of the fixture, and the new one"
    assert await events(resources) == [("login.succeeded", None)]


async def test_a_refused_login_leaves_an_audit_event_and_no_session(
    resources: Resources, ada: Person
) -> None:
    for email in (ada.email, "unknown@example.com", "a\x00@example.com"):
        with pytest.raises(IncorrectLogin):
            await log_in(resources, email, "wrong horse")

    assert await events(resources) == [("login.failed", None)] * 3
    assert await count(resources, UserSession) == 1


async def test_a_user_without_a_password_cannot_log_in_with_one(resources: Resources) -> None:
    bob = await create_user(resources, "bob")

    with pytest.raises(IncorrectLogin):
        await log_in(resources, bob.email, "")


async def test_the_trail_says_why_a_right_password_was_refused(
    resources: Resources, password_hash: str
) -> None:
    ada = await create_user(resources, password_hash=password_hash, confirmed=False)
    strict = with_settings(resources, login_requires_verified_email=True)
    with pytest.raises(EmailNotVerified):
        await log_in(strict, ada.email)
    async with resources.unit_of_work() as uow:
        await uow.session.execute(update(User).values(is_active=False))
    with pytest.raises(InactiveUser):
        await log_in(strict, ada.email)

    assert await events(resources) == [
        ("login.failed", str(EmailNotVerified())),
        ("login.failed", str(InactiveUser())),
    ]


async def test_a_second_factor_is_required_by_a_challenge_instead_of_a_session(
    resources: Resources, ada: Person
) -> None:
    await enroll_authenticator(resources, ada)
    with pytest.raises(SecondFactorRequired) as required:
        await log_in(resources, ada.email)

    assert required.value.expires_in == 300
    assert await count(resources, MfaChallenge) == 1
    assert await count(resources, UserSession) == 1
    assert await events(resources) == []
