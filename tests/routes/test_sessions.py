import asyncio
from datetime import timedelta
from uuid import uuid4

import httpx2
import pytest
from sqlalchemy import func, select, text, update

from app.core.resources import Resources
from app.models import RefreshToken, User, UserSession
from tests.support.accounts import API, PASSWORD, Person, bearer, create_user, log_in
from tests.support.passwords import hash_password
from tests.support.service import serve, with_settings
from tests.support.waiting import wait_for_blocked_transaction

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


async def test_a_refresh_token_returns_the_next_access_token(
    client: httpx2.AsyncClient, ada: Person
) -> None:
    answer = await refresh(client, ada.refresh_token)

    tokens = answer.json()
    assert answer.status_code == 200
    assert tokens["refresh_token"] != ada.refresh_token
    assert await is_good(client, tokens["access_token"])
    assert (await refresh(client, tokens["refresh_token"])).status_code == 200


async def use_long_ago(resources: Resources, *, seconds: int) -> None:
    """Make the last use of all refresh tokens earlier."""
    async with resources.unit_of_work() as uow:
        earlier = RefreshToken.used_at - timedelta(seconds=seconds)
        await uow.session.execute(update(RefreshToken).values(used_at=earlier))


async def assert_session_has_ended(
    client: httpx2.AsyncClient, resources: Resources, answer: httpx2.Response, *tokens: str
) -> None:
    assert (answer.status_code, answer.json()["detail"]) == (401, "Could not validate credentials")
    for token in tokens:
        assert (await refresh(client, token)).status_code == 401
    assert await count_sessions(resources) == 0


async def test_two_tabs_that_refresh_at_the_same_moment_stay_logged_in(
    committing_resources: Resources,
) -> None:
    """They share a cookie. After each of 50 rounds, both have the same successor."""
    ada = await create_user(committing_resources)
    token = ada.refresh_token
    async with serve(committing_resources) as client:
        for _ in range(50):
            answers = await asyncio.gather(refresh(client, token), refresh(client, token))
            assert [answer.status_code for answer in answers] == [200, 200]
            one, two = (answer.json() for answer in answers)
            assert await is_good(client, one["access_token"])
            assert await is_good(client, two["access_token"])
            assert token != one["refresh_token"] == two["refresh_token"]
            token = one["refresh_token"]
    assert await count_sessions(committing_resources) == 1


async def test_a_stolen_token_that_is_used_after_its_successor_ends_the_session(
    client: httpx2.AsyncClient, resources: Resources, ada: Person
) -> None:
    """At once, however recently the token was used."""
    second = (await refresh(client, ada.refresh_token)).json()
    third = (await refresh(client, second["refresh_token"])).json()
    stolen = await refresh(client, ada.refresh_token)

    await assert_session_has_ended(
        client, resources, stolen, second["refresh_token"], third["refresh_token"]
    )
    for tokens in (second, third):
        assert not await is_good(client, tokens["access_token"])
    assert not await is_good(client, ada.access_token)


async def test_a_token_that_is_used_again_after_ten_seconds_ends_its_session(
    client: httpx2.AsyncClient, resources: Resources, ada: Person
) -> None:
    new = (await refresh(client, ada.refresh_token)).json()
    await use_long_ago(resources, seconds=9)
    assert (await refresh(client, ada.refresh_token)).json()["refresh_token"] == new[
        "refresh_token"
    ]
    await use_long_ago(resources, seconds=1)
    late = await refresh(client, ada.refresh_token)

    await assert_session_has_ended(client, resources, late, new["refresh_token"])


async def test_in_strict_mode_every_second_use_ends_the_session(resources: Resources) -> None:
    strict = with_settings(resources, refresh_token_overlap=0)
    ada = await create_user(strict)
    async with serve(strict) as client:
        new = (await refresh(client, ada.refresh_token)).json()
        again = await refresh(client, ada.refresh_token)

        await assert_session_has_ended(client, strict, again, new["refresh_token"])


async def test_another_session_survives_the_end_of_one(
    client: httpx2.AsyncClient, resources: Resources, ada: Person
) -> None:
    other = (await log_in(client)).json()
    await refresh(client, ada.refresh_token)
    await use_long_ago(resources, seconds=10)
    await refresh(client, ada.refresh_token)

    assert await is_good(client, other["access_token"])
    assert not await is_good(client, ada.access_token)


async def test_twenty_parallel_uses_of_a_token_all_get_the_same_successor(
    committing_resources: Resources,
) -> None:
    ada = await create_user(committing_resources)
    async with serve(committing_resources) as client:
        answers = await asyncio.gather(*(refresh(client, ada.refresh_token) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["refresh_token"] for answer in answers}) == 1
    async with committing_resources.unit_of_work() as uow:
        assert len((await uow.session.scalars(select(RefreshToken))).all()) == 2


async def test_an_unknown_refresh_token_ends_nothing(
    client: httpx2.AsyncClient, ada: Person
) -> None:
    for token in ("x" * 43, "", "é" * 50, ada.access_token[:100]):
        assert (await refresh(client, token)).status_code == 401

    assert await is_good(client, ada.access_token)


async def session_end(resources: Resources) -> timedelta:
    """Return how much time is left until the only session ends."""
    row = await resources.reader.first(select(UserSession.expires_at, func.now()))
    assert row is not None
    end, now = row
    return end - now


async def let_pass(resources: Resources, since_seen: timedelta, age: timedelta) -> None:
    """Set the age of the only session, and the time since it was last seen."""
    async with resources.unit_of_work() as uow:
        seen_at = func.now() - since_seen
        idle = timedelta(seconds=resources.settings.session_idle_lifetime)
        await uow.session.execute(
            update(UserSession).values(
                created_at=func.now() - age, last_seen_at=seen_at, expires_at=seen_at + idle
            )
        )


async def test_a_session_that_is_refreshed_lives_for_thirty_days(
    client: httpx2.AsyncClient, resources: Resources, ada: Person
) -> None:
    week, minute = timedelta(days=7), timedelta(minutes=1)
    assert week - minute < await session_end(resources) <= week + minute

    await let_pass(resources, since_seen=timedelta(days=6), age=timedelta(days=6))
    tokens = (await refresh(client, ada.refresh_token)).json()
    assert await session_end(resources) == week

    await let_pass(resources, since_seen=timedelta(days=1), age=timedelta(days=29))
    tokens = (await refresh(client, tokens["refresh_token"])).json()
    assert await session_end(resources) == timedelta(days=1)

    await let_pass(resources, since_seen=timedelta(days=1), age=timedelta(days=30))
    assert (await refresh(client, tokens["refresh_token"])).status_code == 401


async def test_a_session_that_is_not_refreshed_for_a_week_ends(
    client: httpx2.AsyncClient, resources: Resources, ada: Person
) -> None:
    await let_pass(resources, since_seen=timedelta(days=7), age=timedelta(days=7))

    assert (await refresh(client, ada.refresh_token)).status_code == 401
    assert not await is_good(client, ada.access_token)


async def test_a_shorter_idle_lifetime_counts_for_sessions_that_began_before_it(
    client: httpx2.AsyncClient, resources: Resources, ada: Person
) -> None:
    await let_pass(resources, since_seen=timedelta(hours=2), age=timedelta(hours=2))
    async with serve(with_settings(resources, session_idle_lifetime=3_600)) as strict:
        assert (await refresh(strict, ada.refresh_token)).status_code == 401

    assert (await refresh(client, ada.refresh_token)).status_code == 200


async def test_a_login_beyond_the_most_sessions_of_a_user_ends_the_oldest(
    resources: Resources, ada: Person
) -> None:
    bob = await create_user(resources, "bob")
    async with serve(with_settings(resources, max_sessions_per_user=3)) as client:
        others = [(await log_in(client)).json()["access_token"] for _ in range(3)]

        assert not await is_good(client, ada.access_token)
        for token in (*others, bob.access_token):
            assert await is_good(client, token)


async def test_logins_at_the_same_moment_do_not_exceed_the_most_sessions(
    committing_resources: Resources,
) -> None:
    resources = with_settings(committing_resources, max_sessions_per_user=3)
    await create_user(resources, password_hash=await hash_password(PASSWORD))
    async with serve(resources) as client:
        answers = await asyncio.gather(*(log_in(client) for _ in range(8)))

    assert {answer.status_code for answer in answers} == {200}
    assert await count_sessions(resources) == 3


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


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("https://evil.example.com", 403),
        ("null", 403),
        ("https://service.example.com", 200),
    ],
)
async def test_a_cookie_works_for_our_own_pages_only(
    client: httpx2.AsyncClient, ada: Person, origin: str, status: int
) -> None:
    cookie = await cookie_of(client, ada)

    answer = await client.post(REFRESH, headers=cookie | {"Origin": origin})
    assert answer.status_code == status


async def test_logging_out_ends_the_session_at_once_and_deletes_the_cookie(
    client: httpx2.AsyncClient, ada: Person
) -> None:
    other = (await log_in(client)).json()
    answer = await client.post(f"{API}/logout", headers=ada.headers)

    assert answer.json() == {"message": "Logged out"}
    assert f'{COOKIE}=""' in answer.headers["set-cookie"]
    assert not await is_good(client, ada.access_token)
    assert (await refresh(client, ada.refresh_token)).status_code == 401
    assert await is_good(client, other["access_token"])


async def test_the_cookie_alone_logs_out(client: httpx2.AsyncClient, ada: Person) -> None:
    """The access token of yesterday's page has expired."""
    cookie = await cookie_of(client, ada)
    tokens = (await client.post(REFRESH, headers=cookie)).json()
    # The cookie has been replaced meanwhile, as another tab does.
    answer = await client.post(f"{API}/logout", headers=cookie | bearer("expired"))

    assert (answer.status_code, answer.json()) == (200, {"message": "Logged out"})
    assert not await is_good(client, tokens["access_token"])
    assert await is_good(client, ada.access_token)


async def test_logging_out_twice_is_not_an_error(client: httpx2.AsyncClient, ada: Person) -> None:
    cookie = await cookie_of(client, ada)
    for _ in range(2):
        assert (await client.post(f"{API}/logout", headers=cookie)).status_code == 200

    assert (await client.post(f"{API}/logout")).status_code == 401


@pytest.mark.parametrize("path", ["/logout", "/logout/all"])
async def test_after_logging_out_the_browser_forgets_what_it_has_stored(
    client: httpx2.AsyncClient, ada: Person, path: str
) -> None:
    answer = await client.post(API + path, headers=ada.headers)

    assert answer.headers["clear-site-data"] == '"cache", "storage"'


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


async def test_users_cannot_end_the_sessions_of_others(
    client: httpx2.AsyncClient, resources: Resources, ada: Person
) -> None:
    bob = await create_user(resources, "bob")
    for session_id in (ada.session_id, uuid4()):
        answer = await client.delete(f"{API}/users/me/sessions/{session_id}", headers=bob.headers)
        assert (answer.status_code, answer.json()["detail"]) == (404, "Session not found")

    assert await is_good(client, ada.access_token)


@pytest.mark.parametrize("change", [{"is_active": False}, {"password": "another battery"}])
async def test_a_superusers_change_of_a_user_ends_their_sessions_at_once(
    client: httpx2.AsyncClient, resources: Resources, ada: Person, change: dict[str, object]
) -> None:
    root = await create_user(resources, "root", superuser=True)
    answer = await client.patch(f"{API}/users/{ada.id}", json=change, headers=root.headers)

    assert answer.status_code == 200
    assert not await is_good(client, ada.access_token)
    assert (await refresh(client, ada.refresh_token)).status_code == 401


async def test_a_user_who_is_active_again_has_to_log_in_again(
    client: httpx2.AsyncClient, resources: Resources, ada: Person
) -> None:
    root = await create_user(resources, "root", superuser=True)
    for active in (False, True):
        await client.patch(
            f"{API}/users/{ada.id}", json={"is_active": active}, headers=root.headers
        )

    assert not await is_good(client, ada.access_token)
    assert (await log_in(client)).status_code == 200


async def test_a_user_who_is_deactivated_in_the_database_is_refused_at_once(
    client: httpx2.AsyncClient, resources: Resources, ada: Person
) -> None:
    async with resources.unit_of_work() as uow:
        await uow.session.execute(update(User).values(is_active=False))

    assert not await is_good(client, ada.access_token)
    assert (await refresh(client, ada.refresh_token)).status_code == 401


async def test_the_tokens_of_a_deleted_user_stop_working(
    client: httpx2.AsyncClient, ada: Person
) -> None:
    await client.delete(f"{API}/users/me", headers=ada.headers)

    assert not await is_good(client, ada.access_token)
    assert (await refresh(client, ada.refresh_token)).status_code == 401


async def test_the_database_stores_no_token_in_plain_text(
    resources: Resources, ada: Person
) -> None:
    async with resources.unit_of_work() as uow:
        [stored] = await uow.session.scalars(select(RefreshToken.token_hash))
        assert len(stored) == 32
        rows = await uow.session.scalars(text("SELECT s::text FROM sessions AS s"))
        assert ada.refresh_token not in "".join(rows)


async def test_a_session_that_starts_while_the_password_changes_ends(
    committing_resources: Resources,
) -> None:
    """The old password is correct when it is checked, but wrong when the session starts."""
    ada = await create_user(committing_resources, password_hash=await hash_password(PASSWORD))
    async with serve(committing_resources) as client:
        async with committing_resources.unit_of_work() as uow:
            await uow.session.execute(
                update(User).values(password_hash=await hash_password("another battery"))
            )
            login = asyncio.create_task(log_in(client, ada.email))
            await wait_for_blocked_transaction(committing_resources)
        assert (await login).status_code == 400
