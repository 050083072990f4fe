from contextlib import suppress

import pytest
from sqlalchemy import select

from app.core.exceptions import NotFound, Unauthenticated
from app.core.resources import Resources
from app.models import User
from tests.support.accounts import (
    ADA,
    Person,
    create_user,
    open_anonymous_scope,
    open_user_scope,
)

EMAILS = select(User.email)


async def test_a_scope_with_an_access_token_acts_for_its_user(resources: Resources) -> None:
    ada = await create_user(resources)
    async with open_user_scope(resources, ada) as scope:
        assert scope.principal.user_id == scope.actor_id == ada.id
        assert (scope.principal.email, scope.principal.session_id) == (ada.email, ada.session_id)


async def test_without_a_login_nothing_acts_for_a_user(resources: Resources) -> None:
    async with open_anonymous_scope(resources) as scope:
        assert scope.actor_id is None
        with pytest.raises(Unauthenticated):
            _ = scope.principal


async def test_the_reader_sees_only_what_has_been_committed(
    committing_resources: Resources,
) -> None:
    async with open_anonymous_scope(committing_resources) as scope:
        scope.uow.session.add(User(email=ADA["email"]))
        await scope.uow.session.flush()
        assert await scope.reader.first(EMAILS) is None

    assert await committing_resources.reader.scalar(EMAILS) == ADA["email"]


async def test_a_refusal_undoes_everything_unless_the_service_says_otherwise(
    resources: Resources,
) -> None:
    with pytest.raises(NotFound):
        await add_user_and_refuse(resources, "undone", keep=False)
    with pytest.raises(NotFound):
        await add_user_and_refuse(resources, "kept", keep=True)

    assert await resources.reader.scalar(EMAILS) == "kept@example.com"


async def add_user_and_refuse(resources: Resources, name: str, *, keep: bool) -> None:
    async with open_anonymous_scope(resources) as scope:
        scope.uow.session.add(User(email=f"{name}@example.com"))
        if keep:
            scope.uow.commit_on_refusal()
        raise NotFound


async def test_a_crash_undoes_even_what_a_refusal_keeps(resources: Resources) -> None:
    async def crash() -> None:
        async with open_anonymous_scope(resources) as scope:
            scope.uow.session.add(User(email=ADA["email"]))
            scope.uow.commit_on_refusal()
            raise KeyError

    with pytest.raises(KeyError):
        await crash()

    assert await resources.reader.first(EMAILS) is None


async def test_calls_for_after_the_commit_wait_for_it_and_never_follow_a_rollback(
    committing_resources: Resources,
) -> None:
    seen: list[str | None] = []

    async def look() -> None:
        seen.append(await committing_resources.reader.scalar(EMAILS))

    async with open_anonymous_scope(committing_resources) as scope:
        scope.uow.after_commit(look)
        scope.uow.session.add(User(email=ADA["email"]))
    with suppress(NotFound):
        async with open_anonymous_scope(committing_resources) as scope:
            scope.uow.after_commit(look)
            raise NotFound

    assert seen == [ADA["email"]]


async def test_a_scope_that_only_authenticates_holds_no_connection(
    committing_resources: Resources,
) -> None:
    ada: Person = await create_user(committing_resources)
    pool = committing_resources.database.engine.pool
    async with open_user_scope(committing_resources, ada) as scope:
        assert scope.principal.user_id == ada.id
        assert pool.checkedout() == 0  # type: ignore[attr-defined]
