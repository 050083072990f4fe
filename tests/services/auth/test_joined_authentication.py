from uuid import uuid4

import httpx2
import pytest
from sqlalchemy import Select, delete, literal, select, true

from app.core.exceptions import Forbidden, Unauthenticated
from app.core.resources import Resources
from app.models import UserSession
from app.services.auth.authentication import credentials_of
from app.services.auth.joined_authentication import Accept, AuthenticatingReader
from app.services.auth.principal import Principal
from app.services.scope import open_scope
from tests.support.accounts import API, REQUEST_INFO, Person

FOUND = select(literal("found"))
NOTHING = select(literal("found")).where(~true())


async def accept(_: Principal) -> None:
    pass


def reader_for(resources: Resources, token: str, accept: Accept = accept) -> AuthenticatingReader:
    return AuthenticatingReader(resources.reader, credentials_of(resources.settings, token), accept)


async def end_session(resources: Resources, person: Person) -> None:
    async with resources.unit_of_work() as uow:
        await uow.session.execute(delete(UserSession).where(UserSession.id == person.session_id))


@pytest.mark.parametrize(("statement", "value"), [(FOUND, "found"), (NOTHING, None)])
async def test_the_first_read_also_finds_the_user(
    resources: Resources, ada: Person, statement: Select[str], value: str | None
) -> None:
    seen: list[Principal] = []

    async def accept(principal: Principal) -> None:
        seen.append(principal)

    reader = reader_for(resources, ada.access_token, accept)

    assert await reader.scalar(statement) == value
    assert await reader.scalar(FOUND) == "found"
    await reader.authenticate()
    assert [principal.user_id for principal in seen] == [ada.id]


async def test_the_first_read_of_an_ended_session_returns_nothing(
    resources: Resources, ada: Person
) -> None:
    await end_session(resources, ada)

    with pytest.raises(Unauthenticated):
        await reader_for(resources, ada.access_token).scalar(FOUND)


async def test_a_principal_who_is_refused_reads_nothing(resources: Resources, ada: Person) -> None:
    async def refuse(_: Principal) -> None:
        raise Forbidden

    with pytest.raises(Forbidden):
        await reader_for(resources, ada.access_token, refuse).scalar(FOUND)


@pytest.mark.parametrize("item_id", [uuid4(), "invalid"])
async def test_no_response_reaches_a_user_whose_session_has_ended(
    client: httpx2.AsyncClient, resources: Resources, ada: Person, item_id: object
) -> None:
    where = f"{API}/items/{item_id}"
    known = await client.get(where, headers=ada.headers)
    await end_session(resources, ada)
    ended = await client.get(where, headers=ada.headers)

    assert known.status_code in {404, 422}
    assert ended.status_code == 401


async def test_a_route_that_asks_for_the_principal_too_early_is_a_bug(
    resources: Resources,
) -> None:
    async with open_scope(resources, REQUEST_INFO) as scope:
        scope.awaits_principal = True
        with pytest.raises(RuntimeError, match="one_round_trip"):
            _ = scope.principal
