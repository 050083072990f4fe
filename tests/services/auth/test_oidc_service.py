"""The rules of a login with a provider. A fake provider verifies all claims of a test."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Self

import pytest
from pydantic import SecretStr
from sqlalchemy import func, select, update

from app.core.exceptions import AppError
from app.core.oidc.authorization_response import AuthorizationResponse
from app.core.oidc.claims import Claims
from app.core.oidc.login_state import LoginState
from app.core.oidc_settings import OidcProvider
from app.core.resources import Resources
from app.core.security.tokens import new_token
from app.models import AuditEvent, Identity, UsedLogin, User
from app.services.auth.identity_service import AccountNotVerified
from app.services.auth.login_service import InactiveUser
from app.services.auth.oidc_service import LoginExpired, OidcService
from app.services.scope import Scope
from tests.support.accounts import Person, create_user, open_anonymous_scope

ADA: Claims = {"sub": "1", "email": "ada@example.com", "email_verified": True, "name": "Ada"}


PROVIDER = OidcProvider(
    issuer="https://acme.example.com", client_id="us", client_secret=SecretStr("secret")
)


class FakeProvider:
    """A provider without HTTP that verifies fixed claims."""

    def __init__(self, claims: Claims) -> None:
        self.claims = claims

    async def client(self, _: str) -> Self:
        return self

    async def authorization_url(self, login: LoginState) -> str:
        return f"https://{login.provider}.example.com"

    async def exchange(self, login: LoginState, response: AuthorizationResponse) -> Claims:  # noqa: ARG002
        return self.claims


def new_login() -> LoginState:
    return LoginState(secret=new_token(), provider="acme", path="/")


@asynccontextmanager
async def open_scope_with_provider(resources: Resources, claims: Claims) -> AsyncIterator[Scope]:
    settings = resources.settings.model_copy(update={"oidc_providers": {"acme": PROVIDER}})
    known = replace(resources, settings=settings, oidc=FakeProvider(claims))
    async with open_anonymous_scope(known) as scope:
        yield scope


async def finish(resources: Resources, login: LoginState, claims: Claims = ADA) -> None:
    async with open_scope_with_provider(resources, claims) as scope:
        await OidcService(scope).finish(login, AuthorizationResponse(code="code"))


async def verify(resources: Resources, **changes: object) -> None:
    async with resources.unit_of_work() as uow:
        await uow.session.execute(update(User).values(email_verified_at=func.now(), **changes))


async def test_a_stranger_with_a_verified_email_gets_an_account(resources: Resources) -> None:
    await finish(resources, new_login())

    [user] = await resources.reader.all(select(User.email, User.full_name, User.password_hash))
    assert user == ("ada@example.com", "Ada", None)


async def test_an_account_whose_email_both_sides_verified_is_linked(
    resources: Resources, ada: Person
) -> None:
    await verify(resources)
    await finish(resources, new_login())

    assert await resources.reader.all(select(Identity.user_id)) == [(ada.id,)]


async def test_an_account_that_never_confirmed_its_email_is_not_taken_over(
    resources: Resources,
) -> None:
    ada = await create_user(resources, confirmed=False)
    with pytest.raises(AccountNotVerified):
        await finish(resources, new_login(), {**ADA, "email": ada.email})

    assert await resources.reader.first(select(Identity.id)) is None


async def test_a_login_is_finished_once(resources: Resources) -> None:
    login = new_login()
    await finish(resources, login)
    with pytest.raises(LoginExpired):
        await finish(resources, login)


@pytest.mark.usefixtures("ada")
async def test_a_refusal_keeps_its_audit_event_and_undoes_everything_else(
    resources: Resources,
) -> None:
    await verify(resources)
    await finish(resources, new_login())
    await verify(resources, is_active=False)
    with pytest.raises(InactiveUser):
        await finish(resources, new_login())

    assert await resources.reader.scalar(select(func.count()).select_from(UsedLogin)) == 2
    assert await resources.reader.scalar(select(Identity.last_used_at)) is None
    failures = select(AuditEvent.details).where(AuditEvent.event == "login.failed")
    assert await resources.reader.all(failures) == [
        ({"provider": "acme", "reason": "InactiveUser"},)
    ]


async def test_a_refused_login_sends_no_email(resources: Resources, ada: Person) -> None:
    await verify(resources, is_active=False)
    with suppress(AppError):
        async with open_scope_with_provider(resources, {**ADA, "email": ada.email}) as scope:
            await OidcService(scope).finish(new_login(), AuthorizationResponse(code="code"))

    assert [*scope.uow.jobs] == []
