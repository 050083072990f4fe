import pytest
from sqlalchemy import select

from app.core.resources import Resources
from app.models import AuditEvent, EmailToken, Purpose, User, UserSession
from app.schemas.user import UserUpdateMe
from app.services.account_service import AccountService, SamePassword
from app.services.admin_service import SuperuserCannotDeleteSelf
from app.services.auth.email_token_service import EmailTokenService, InvalidToken
from app.services.auth.reauthentication import IncorrectPassword
from tests.support.accounts import (
    PASSWORD,
    Person,
    create_user,
    open_anonymous_scope,
    open_user_scope,
)
from tests.support.passwords import verify_password

NEW_PASSWORD = "a fresh battery"
NEW_EMAIL = "countess@example.com"


async def emailed_token(
    resources: Resources, person: Person, purpose: Purpose, email: str | None = None
) -> str:
    async with open_anonymous_scope(resources) as scope:
        return await EmailTokenService(scope).issue(
            person.id, purpose, email=email or person.email, lifetime=60
        )


async def stored(resources: Resources, person: Person) -> User:
    async with resources.unit_of_work() as uow:
        user = await uow.session.get(User, person.id)
    assert user is not None
    return user


async def test_a_new_password_ends_sessions_and_links(resources: Resources, ada: Person) -> None:
    await emailed_token(resources, ada, Purpose.RESET_PASSWORD)
    async with open_user_scope(resources, ada) as scope:
        await AccountService(scope).change_password(PASSWORD, NEW_PASSWORD)
        assert [job.name for job in scope.uow.jobs] == ["SendSecurityAlert"]

    user = await stored(resources, ada)
    assert (await verify_password(NEW_PASSWORD, user.password_hash)).valid
    assert await resources.reader.first(select(UserSession.id)) is None
    assert await resources.reader.first(select(EmailToken.user_id)) is None


async def test_a_password_in_another_unicode_form_is_the_same_password(
    resources: Resources, ada: Person
) -> None:
    async with open_user_scope(resources, ada) as scope:
        account = AccountService(scope)
        await account.change_password(PASSWORD, "caf\u00e9 battery")
        with pytest.raises(SamePassword):
            await account.change_password("caf\u00e9 battery", "cafe\u0301 battery")


async def test_a_wrong_password_changes_nothing(resources: Resources, ada: Person) -> None:
    before = (await stored(resources, ada)).password_hash
    async with open_user_scope(resources, ada) as scope:
        with pytest.raises(IncorrectPassword):
            await AccountService(scope).change_password("wrong horse", NEW_PASSWORD)

    assert (await stored(resources, ada)).password_hash == before


async def test_an_emailed_link_resets_the_password_once_and_confirms_the_email(
    resources: Resources,
) -> None:
    ada = await create_user(resources, confirmed=False)
    token = await emailed_token(resources, ada, Purpose.RESET_PASSWORD)
    async with open_anonymous_scope(resources) as scope:
        await AccountService(scope).reset_password(token, NEW_PASSWORD)
    async with open_anonymous_scope(resources) as scope:
        with pytest.raises(InvalidToken):
            await AccountService(scope).reset_password(token, "another battery")

    assert (await stored(resources, ada)).email_verified_at is not None


async def test_a_new_email_counts_once_its_link_is_followed(
    resources: Resources, ada: Person
) -> None:
    data = {"email": NEW_EMAIL, "current_password": PASSWORD}
    async with open_user_scope(resources, ada) as scope:
        await AccountService(scope).update(UserUpdateMe.model_validate(data))
        assert [job.name for job in scope.uow.jobs] == ["SendSecurityAlert", "SendEmailChange"]
    assert (await stored(resources, ada)).email == ada.email

    token = await emailed_token(resources, ada, Purpose.CHANGE_EMAIL, NEW_EMAIL)
    async with open_anonymous_scope(resources) as scope:
        await AccountService(scope).verify_email(token)
    user = await stored(resources, ada)
    assert (user.email, user.new_email) == (NEW_EMAIL, None)


async def test_asking_for_the_email_of_another_user_looks_like_any_other(
    resources: Resources, ada: Person
) -> None:
    bob = await create_user(resources, "bob")
    data = {"email": bob.email, "current_password": PASSWORD}
    async with open_user_scope(resources, ada) as scope:
        await AccountService(scope).update(UserUpdateMe.model_validate(data))
        assert [job.name for job in scope.uow.jobs] == ["SendSecurityAlert", "SendEmailChange"]


async def test_users_delete_their_account_and_superusers_cannot(
    resources: Resources, ada: Person, root: Person
) -> None:
    async with open_user_scope(resources, root) as scope:
        with pytest.raises(SuperuserCannotDeleteSelf):
            await AccountService(scope).delete()
    async with open_user_scope(resources, ada) as scope:
        await AccountService(scope).delete()

    due = User.deletion_due_at.is_not(None)
    assert await resources.reader.all(select(User.email).where(due)) == [(ada.email,)]
    events = await resources.reader.all(select(AuditEvent.event, AuditEvent.user_id))
    assert events == [("sessions.ended", ada.id), ("user.deletion_requested", ada.id)]
