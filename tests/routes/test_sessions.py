import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import httpx2
import pytest
from sqlalchemy import func, select, text, update

from app.core.resources import Resources
from app.core.security import hash_password
from app.models import RefreshToken, User, UserSession
from tests.accounts import API, PASSWORD, Person, bearer, log_in, someone
from tests.conftest import serve, waits_for_a_lock

REFRESH = f"{API}/login/refresh"
COOKIE = "__Host-refresh_token"


async def refresh(client: httpx2.AsyncClient, token: str) -> httpx2.Response:
    return await client.post(REFRESH, json={"refresh_token": token})


async def is_good(client: httpx2.AsyncClient, access_token: str) -> bool:
    answer = await client.get(f"{API}/users/me", headers=bearer(access_token))
    return answer.status_code == 200


async def count_sessions(resources: Resources) -> int:
    async with resources.unit_of_work() as uow:
        return await uow.session.scalar(select(func.count()).select_from(UserSession)) or 0


async def test_a_refresh_token_opens_the_next_access_token_once(
    client: httpx2.AsyncClient, ada: Person
) -> None:
    answer = await refresh(client, ada.refresh_token)

    tokens = answer.json()
    assert answer.status_code == 200
    assert tokens["refresh_token"] != ada.refresh_token
    assert await is_good(client, tokens["access_token"])
    assert (await refresh(client, tokens["refresh_token"])).status_code == 200


async def test_a_refresh_token_that_comes_twice_ends_the_whole_family(
    client: httpx2.AsyncClient, resources: Resources, ada: Person
) -> None:
    new = (await refresh(client, ada.refresh_token)).json()
    again = await refresh(client, ada.refresh_token)

    assert (again.status_code, again.json()["detail"]) == (401, "Could not validate credentials")
    assert (await refresh(client, new["refresh_token"])).status_code == 401
    assert not await is_good(client, new["access_token"])
    assert not await is_good(client, ada.access_token)
    assert await count_sessions(resources) == 0


async def test_another_session_survives_the_end_of_one(
    client: httpx2.AsyncClient, ada: Person
) -> None:
    other = (await log_in(client)).json()
    await refresh(client, ada.refresh_token)
    await refresh(client, ada.refresh_token)

    assert await is_good(client, other["access_token"])


async def test_of_twenty_parallel_uses_of_a_token_at_most_one_line_survives(
    committing: Resources,
) -> None:
    ada = await someone(committing)
    async with serve(committing) as client:
        answers = await asyncio.gather(*(refresh(client, ada.refresh_token) for _ in range(20)))
        good = [answer.json() for answer in answers if answer.status_code == 200]
        assert len(good) <= 1
        assert {answer.status_code for answer in answers} <= {200, 401}
        for tokens in good:
            assert not await is_good(client, tokens["access_token"])
    assert await count_sessions(committing) == 0


async def test_an_unknown_refresh_token_ends_nothing(
    client: httpx2.AsyncClient, ada: Person
) -> None:
    for token in ("x" * 43, "", "é" * 50, ada.access_token[:100]):
        assert (await refresh(client, token)).status_code == 401

    assert await is_good(client, ada.access_token)


async def test_refreshing_does_not_prolong_a_session(
    client: httpx2.AsyncClient, resources: Resources, ada: Person
) -> None:
    async with resources.unit_of_work() as uow:
        before = await uow.session.scalar(select(UserSession.expires_at))
    tokens = (await refresh(client, ada.refresh_token)).json()
    async with resources.unit_of_work() as uow:
        assert await uow.session.scalar(select(UserSession.expires_at)) == before
        assert before is not None
        assert timedelta(days=29) < before - datetime.now(UTC) <= timedelta(days=30)
        await uow.session.execute(update(UserSession).values(expires_at=func.now()))

    assert (await refresh(client, tokens["refresh_token"])).status_code == 401
    assert not await is_good(client, tokens["access_token"])


async def test_a_browsers_refresh_token_is_in_a_cookie_that_no_script_reads(
    client: httpx2.AsyncClient, ada: Person
) -> None:
    form = {"username": ada.email, "password": PASSWORD}
    answer = await client.post(
        f"{API}/login/access-token", params={"refresh_token": "cookie"}, data=form
    )

    assert answer.json()["refresh_token"] is None
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"{COOKIE}=")
    for attribute in ("HttpOnly", "Secure", "Path=/", "SameSite=strict"):
        assert attribute in cookie.split("; ")
    assert "Domain" not in cookie


async def cookie_of(client: httpx2.AsyncClient, ada: Person) -> dict[str, str]:
    form = {"username": ada.email, "password": PASSWORD}
    answer = await client.post(
        f"{API}/login/access-token", params={"refresh_token": "cookie"}, data=form
    )
    return {"Cookie": answer.headers["set-cookie"].partition(";")[0]}


async def test_a_browser_refreshes_by_its_cookie_and_gets_the_next_one(
    client: httpx2.AsyncClient, ada: Person
) -> None:
    cookie = await cookie_of(client, ada)
    answer = await client.post(REFRESH, headers=cookie)

    assert (answer.status_code, answer.json()["refresh_token"]) == (200, None)
    assert await is_good(client, answer.json()["access_token"])
    assert answer.headers["set-cookie"].startswith(f"{COOKIE}=")
    assert (await client.post(REFRESH, headers=cookie)).status_code == 401


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("https://evil.example.com", 403),
        ("null", 403),
        ("https://service.example.com", 200),
    ],
)
async def test_a_cookie_counts_for_our_own_pages_only(
    client: httpx2.AsyncClient, ada: Person, origin: str, status: int
) -> None:
    cookie = await cookie_of(client, ada)

    answer = await client.post(REFRESH, headers=cookie | {"Origin": origin})
    assert answer.status_code == status


async def test_logging_out_ends_the_session_at_once_and_takes_the_cookie(
    client: httpx2.AsyncClient, ada: Person
) -> None:
    other = (await log_in(client)).json()
    answer = await client.post(f"{API}/logout", headers=ada.headers)

    assert answer.json() == {"message": "Logged out"}
    assert f'{COOKIE}=""' in answer.headers["set-cookie"]
    assert not await is_good(client, ada.access_token)
    assert (await refresh(client, ada.refresh_token)).status_code == 401
    assert await is_good(client, other["access_token"])


async def test_logging_out_everywhere_ends_all_sessions(
    client: httpx2.AsyncClient, ada: Person
) -> None:
    other = (await log_in(client)).json()
    await client.post(f"{API}/logout/all", headers=ada.headers)

    assert not await is_good(client, ada.access_token)
    assert not await is_good(client, other["access_token"])


async def test_users_see_where_they_are_logged_in_and_end_one_session(
    client: httpx2.AsyncClient, ada: Person
) -> None:
    browser = {"User-Agent": "Browser 1.0"}
    form = {"username": ada.email, "password": PASSWORD}
    answer = await client.post(f"{API}/login/access-token", data=form, headers=browser)
    other = answer.json()["access_token"]

    sessions = (await client.get(f"{API}/users/me/sessions", headers=bearer(other))).json()
    newest, oldest = sessions["data"]
    assert sessions["count"] == 2
    assert (newest["user_agent"], newest["address"]) == ("Browser 1.0", "127.0.0.1")
    assert (newest["current"], oldest["current"]) == (True, False)
    assert oldest["id"] == str(ada.session_id)

    ended = await client.delete(f"{API}/users/me/sessions/{ada.session_id}", headers=bearer(other))
    assert ended.json() == {"message": "Session ended"}
    assert not await is_good(client, ada.access_token)
    assert await is_good(client, other)


async def test_nobody_ends_somebody_elses_session(
    client: httpx2.AsyncClient, resources: Resources, ada: Person
) -> None:
    bob = await someone(resources, "bob")
    for session_id in (ada.session_id, uuid4()):
        answer = await client.delete(f"{API}/users/me/sessions/{session_id}", headers=bob.headers)
        assert (answer.status_code, answer.json()["detail"]) == (404, "Session not found")

    assert await is_good(client, ada.access_token)


@pytest.mark.parametrize("change", [{"is_active": False}, {"password": "another battery"}])
async def test_a_superusers_change_of_a_user_ends_their_sessions_at_once(
    client: httpx2.AsyncClient, resources: Resources, ada: Person, change: dict[str, object]
) -> None:
    root = await someone(resources, "root", superuser=True)
    answer = await client.patch(f"{API}/users/{ada.id}", json=change, headers=root.headers)

    assert answer.status_code == 200
    assert not await is_good(client, ada.access_token)
    assert (await refresh(client, ada.refresh_token)).status_code == 401


async def test_a_user_who_is_active_again_has_to_log_in_again(
    client: httpx2.AsyncClient, resources: Resources, ada: Person
) -> None:
    root = await someone(resources, "root", superuser=True)
    for active in (False, True):
        await client.patch(
            f"{API}/users/{ada.id}", json={"is_active": active}, headers=root.headers
        )

    assert not await is_good(client, ada.access_token)
    assert (await log_in(client)).status_code == 200


async def test_who_is_deactivated_in_the_database_is_out_at_once(
    client: httpx2.AsyncClient, resources: Resources, ada: Person
) -> None:
    async with resources.unit_of_work() as uow:
        await uow.session.execute(update(User).values(is_active=False))

    assert not await is_good(client, ada.access_token)
    assert (await refresh(client, ada.refresh_token)).status_code == 401


async def test_a_deleted_users_tokens_are_worth_nothing(
    client: httpx2.AsyncClient, ada: Person
) -> None:
    await client.delete(f"{API}/users/me", headers=ada.headers)

    assert not await is_good(client, ada.access_token)
    assert (await refresh(client, ada.refresh_token)).status_code == 401


async def test_the_database_holds_no_token_in_clear(resources: Resources, ada: Person) -> None:
    async with resources.unit_of_work() as uow:
        [stored] = await uow.session.scalars(select(RefreshToken.token_hash))
        assert len(stored) == 32
        rows = await uow.session.scalars(text("SELECT s::text FROM sessions AS s"))
        assert ada.refresh_token not in "".join(rows)


async def test_a_session_that_begins_while_the_password_changes_does_not_outlive_it(
    committing: Resources,
) -> None:
    """The old password was right when it was checked, and is wrong when the session begins."""
    ada = await someone(committing, password_hash=await hash_password(PASSWORD))
    async with serve(committing) as client:
        async with committing.unit_of_work() as uow:
            await uow.session.execute(
                update(User).values(password_hash=await hash_password("another battery"))
            )
            login = asyncio.create_task(log_in(client, ada.email))
            await waits_for_a_lock(committing)
        assert (await login).status_code == 400
