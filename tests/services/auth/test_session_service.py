import pytest
from sqlalchemy import select, update

from app.core.exceptions import Unauthenticated
from app.core.resources import Resources
from app.models import AuditEvent, UserSession
from app.services.auth.session_service import SessionNotFound, SessionService, Tokens
from tests.support.accounts import Person, create_user, open_anonymous_scope, open_user_scope

SESSIONS = select(UserSession.id)


async def refresh(resources: Resources, refresh_token: str) -> Tokens:
    async with open_anonymous_scope(resources) as scope:
        return await SessionService(scope).refresh(refresh_token)


async def test_a_refresh_token_returns_the_next_pair_of_tokens(
    resources: Resources, ada: Person
) -> None:
    tokens = await refresh(resources, ada.refresh_token)

    assert tokens.refresh_token != ada.refresh_token
    assert await refresh(resources, tokens.refresh_token)


async def test_a_copied_refresh_token_ends_its_session_although_it_is_refused(
    resources: Resources, ada: Person
) -> None:
    bob = await create_user(resources, "bob")
    used = await refresh(resources, ada.refresh_token)
    successor = await refresh(resources, used.refresh_token)
    with pytest.raises(Unauthenticated):
        await refresh(resources, ada.refresh_token)

    assert await resources.reader.all(SESSIONS) == [(bob.session_id,)]
    assert await resources.reader.all(select(AuditEvent.event, AuditEvent.user_id)) == [
        ("refresh_token.reused", ada.id)
    ]
    with pytest.raises(Unauthenticated):
        await refresh(resources, successor.refresh_token)


async def test_an_expired_session_is_not_refreshed(resources: Resources, ada: Person) -> None:
    async with resources.unit_of_work() as uow:
        await uow.session.execute(update(UserSession).values(expires_at=UserSession.created_at))

    with pytest.raises(Unauthenticated):
        await refresh(resources, ada.refresh_token)


async def test_users_see_their_own_sessions_and_which_one_is_current(
    resources: Resources, ada: Person
) -> None:
    await create_user(resources, "bob")
    async with open_user_scope(resources, ada) as scope:
        page = await SessionService(scope).list(skip=0, limit=10)

    assert [(session.id, session.current) for session in page.data] == [(ada.session_id, True)]


async def test_users_end_only_their_own_sessions(resources: Resources, ada: Person) -> None:
    bob = await create_user(resources, "bob")
    async with open_user_scope(resources, ada) as scope:
        with pytest.raises(SessionNotFound):
            await SessionService(scope).end(bob.session_id)
        await SessionService(scope).end(ada.session_id)

    assert await resources.reader.all(SESSIONS) == [(bob.session_id,)]
