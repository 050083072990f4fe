import pytest
from pydantic import SecretStr
from sqlalchemy import select

from app.core.exceptions import InvalidField
from app.core.resources import Resources
from app.models import User
from app.schemas.user import UserRegister
from app.services.signup_service import SignupService
from app.services.user_service import EmailTaken
from tests.support.accounts import PASSWORD, Person, open_anonymous_scope
from tests.support.service import with_settings

EMAILS = select(User.email)


def registration(email: str, password: str = PASSWORD) -> UserRegister:
    return UserRegister(email=email, password=SecretStr(password))


async def test_a_new_user_is_welcomed_by_email(resources: Resources) -> None:
    async with open_anonymous_scope(resources) as scope:
        user = await SignupService(scope).sign_up(registration("ada@example.com"))
        assert [job.name for job in scope.uow.jobs] == ["SendWelcomeEmail"]

    assert await resources.reader.all(EMAILS) == [(user.email,)]


async def test_a_password_that_is_easy_to_guess_is_refused(resources: Resources) -> None:
    async with open_anonymous_scope(resources) as scope:
        with pytest.raises(InvalidField):
            await SignupService(scope).sign_up(registration("ada@example.com", "password123"))

    assert await resources.reader.first(EMAILS) is None


async def test_a_taken_email_is_refused(resources: Resources, ada: Person) -> None:
    async with open_anonymous_scope(resources) as scope:
        with pytest.raises(EmailTaken):
            await SignupService(scope).sign_up(registration(ada.email.upper()))


async def test_if_emails_must_be_confirmed_a_taken_one_looks_like_any_other(
    resources: Resources, ada: Person
) -> None:
    strict = with_settings(resources, login_requires_verified_email=True)
    async with open_anonymous_scope(strict) as scope:
        stranger = await SignupService(scope).sign_up(registration(ada.email))
        assert [job.name for job in scope.uow.jobs] == ["SendAccountExists"]

    assert (stranger.email, stranger.is_active) == (ada.email, True)
    assert await resources.reader.all(select(User.id)) == [(ada.id,)]
