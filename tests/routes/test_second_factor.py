"""Setting up a second factor, and removing it."""

import asyncio

import httpx2
import pytest
from sqlalchemy import func, select, text

from app.core.resources import Resources
from app.models import TotpFactor, User
from app.services.auth.actor import lock_user
from tests.support.accounts import (
    API,
    PASSWORD,
    Person,
    bearer,
    create_user,
    log_in,
    open_anonymous_scope,
    open_session,
)
from tests.support.authenticator import Authenticator, enroll_authenticator, read_secret
from tests.support.passwords import hash_password
from tests.support.service import serve
from tests.support.waiting import wait_for_blocked_transaction

FACTOR = f"{API}/users/me/second-factor"
PROOF = {"current_password": PASSWORD}


async def begin(client: httpx2.AsyncClient, person: Person) -> Authenticator:
    answer = await client.post(FACTOR, json=PROOF, headers=person.headers)
    assert answer.status_code == 201
    return read_secret(answer.json()["secret"])


async def confirm(client: httpx2.AsyncClient, person: Person, code: str) -> httpx2.Response:
    return await client.post(f"{FACTOR}/confirm", json={"code": code}, headers=person.headers)


async def status(client: httpx2.AsyncClient, person: Person) -> tuple[bool, int]:
    answer = (await client.get(FACTOR, headers=person.headers)).json()
    return answer["enabled"], answer["recovery_codes_left"]


async def events(client: httpx2.AsyncClient, root: Person, person: Person) -> list[str]:
    answer = await client.get(
        f"{API}/audit-events/", params={"user_id": str(person.id)}, headers=root.headers
    )
    return [event["event"] for event in reversed(answer.json()["data"])]


async def test_a_secret_counts_once_a_first_code_has_confirmed_it(
    client: httpx2.AsyncClient, ada: Person
) -> None:
    app = await begin(client, ada)
    assert await status(client, ada) == (False, 0)
    assert (await log_in(client)).status_code == 200

    answer = await confirm(client, ada, app.code())
    assert answer.status_code == 200
    assert len(set(answer.json()["recovery_codes"])) == 10
    assert await status(client, ada) == (True, 10)
    assert (await log_in(client)).json()["detail"] == "Second factor required"


async def test_the_secret_is_shown_once_also_as_a_uri(
    client: httpx2.AsyncClient, ada: Person
) -> None:
    answer = (await client.post(FACTOR, json=PROOF, headers=ada.headers)).json()
    assert answer["otpauth_uri"].startswith("otpauth://totp/service.example.com:ada@example.com?")
    assert f"secret={answer['secret']}&" in answer["otpauth_uri"]

    again = (await client.post(FACTOR, json=PROOF, headers=ada.headers)).json()
    assert again["secret"] != answer["secret"]
    first = read_secret(answer["secret"])
    assert (await confirm(client, ada, first.code())).json()["detail"] == "Incorrect code"
    assert (await confirm(client, ada, read_secret(again["secret"]).code())).status_code == 200
    assert answer["secret"] not in (await client.get(FACTOR, headers=ada.headers)).text


async def test_a_confirmed_factor_must_be_removed_before_it_is_replaced(
    client: httpx2.AsyncClient, resources: Resources, ada: Person
) -> None:
    app = await enroll_authenticator(resources, ada)
    for answer in (
        await client.post(FACTOR, json=PROOF, headers=ada.headers),
        await confirm(client, ada, app.code()),
    ):
        assert answer.status_code == 409
        assert answer.json()["detail"] == "Second factor is already set up"


async def test_sessions_that_started_without_the_factor_end_when_it_is_confirmed(
    client: httpx2.AsyncClient, ada: Person
) -> None:
    other = (await log_in(client)).json()
    app = await begin(client, ada)
    await confirm(client, ada, app.code())

    me = f"{API}/users/me"
    assert (await client.get(me, headers=bearer(other["access_token"]))).status_code == 401
    assert (await client.get(me, headers=ada.headers)).status_code == 200


async def test_a_session_that_starts_while_the_factor_is_confirmed_ends(
    committing_resources: Resources,
) -> None:
    """A login has found no second factor and is about to start a session without it."""
    ada = await create_user(committing_resources, password_hash=await hash_password(PASSWORD))
    async with serve(committing_resources) as client:
        app = await begin(client, ada)
        async with open_anonymous_scope(committing_resources) as login:
            user = await login.uow.session.get(User, ada.id, with_for_update=True)
            assert user is not None
            confirming = asyncio.create_task(confirm(client, ada, app.code()))
            await wait_for_blocked_transaction(committing_resources)
            late = await open_session(login, user)
        assert (await confirming).status_code == 200
        me = await client.get(f"{API}/users/me", headers=late.headers)

    assert me.status_code == 401


async def test_a_login_that_waits_while_the_factor_is_confirmed_needs_it(
    committing_resources: Resources,
) -> None:
    """A statement that waits for a lock sees an earlier state of the other tables."""
    ada = await create_user(committing_resources, password_hash=await hash_password(PASSWORD))
    async with serve(committing_resources) as client:
        async with open_anonymous_scope(committing_resources) as confirming:
            await lock_user(confirming, ada.id)
            factor = TotpFactor(user_id=ada.id, encrypted_secret=b"x", confirmed_at=func.now())
            confirming.uow.session.add(factor)
            await confirming.uow.session.flush()
            login = asyncio.create_task(log_in(client))
            await wait_for_blocked_transaction(committing_resources)
        answer = await login

    assert (answer.status_code, answer.json()["detail"]) == (400, "Second factor required")


@pytest.mark.parametrize("path", ["", "/recovery-codes", "/disable"])
async def test_changing_the_second_factor_needs_the_password(
    client: httpx2.AsyncClient, resources: Resources, ada: Person, path: str
) -> None:
    app = await enroll_authenticator(resources, ada) if path else None
    wrong = {"current_password": "wrong horse"}
    answers = [
        await client.post(f"{FACTOR}{path}", json=wrong, headers=ada.headers) for _ in range(11)
    ]

    assert [answer.status_code for answer in answers] == [400] * 10 + [429]
    assert answers[0].json()["detail"] == "Incorrect password"
    assert await status(client, ada) == ((True, 10) if app else (False, 0))


async def test_two_simultaneous_renewals_leave_ten_recovery_codes(
    committing_resources: Resources,
) -> None:
    ada = await create_user(committing_resources, password_hash=await hash_password(PASSWORD))
    await enroll_authenticator(committing_resources, ada)
    async with serve(committing_resources) as client:
        path = f"{FACTOR}/recovery-codes"
        await asyncio.gather(
            *(client.post(path, json=PROOF, headers=ada.headers) for _ in range(4))
        )
        assert await status(client, ada) == (True, 10)


@pytest.mark.parametrize("path", ["confirm", "recovery-codes", "disable"])
async def test_a_second_factor_that_does_not_exist_is_not_found(
    client: httpx2.AsyncClient, ada: Person, path: str
) -> None:
    body = {"code": "123456"} if path == "confirm" else PROOF
    answer = await client.post(f"{FACTOR}/{path}", json=body, headers=ada.headers)

    assert (answer.status_code, answer.json()["detail"]) == (404, "Second factor not found")


async def test_guesses_of_the_first_code_are_counted(
    client: httpx2.AsyncClient, ada: Person
) -> None:
    app = await begin(client, ada)
    answers = [await confirm(client, ada, app.wrong_code) for _ in range(11)]

    assert [answer.status_code for answer in answers] == [400] * 10 + [429]
    assert (await confirm(client, ada, app.code())).status_code == 429


async def test_without_the_factor_the_password_alone_logs_in(
    client: httpx2.AsyncClient, resources: Resources, ada: Person
) -> None:
    await enroll_authenticator(resources, ada)
    answer = await client.post(f"{FACTOR}/disable", json=PROOF, headers=ada.headers)

    assert answer.json() == {"message": "Second factor removed"}
    assert await status(client, ada) == (False, 0)
    assert (await log_in(client)).status_code == 200


async def test_a_superuser_removes_the_factor_of_a_user_who_has_lost_it(
    client: httpx2.AsyncClient, resources: Resources, ada: Person, root: Person
) -> None:
    await enroll_authenticator(resources, ada)
    path = f"{API}/users/{ada.id}/second-factor"
    answers = [await client.delete(path, headers=root.headers) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 404]
    assert (await log_in(client)).status_code == 200
    assert await events(client, root, ada) == ["second_factor.removed", "login.succeeded"]


async def test_the_audit_trail_shows_every_change(
    client: httpx2.AsyncClient, ada: Person, root: Person
) -> None:
    app = await begin(client, ada)
    await confirm(client, ada, app.code())
    await client.post(f"{FACTOR}/recovery-codes", json=PROOF, headers=ada.headers)
    await client.post(f"{FACTOR}/disable", json=PROOF, headers=ada.headers)

    assert await events(client, root, ada) == [
        "second_factor.begun",
        "sessions.ended",
        "second_factor.set_up",
        "second_factor.recovery_codes_renewed",
        "second_factor.removed",
    ]


async def test_the_database_stores_neither_secret_nor_codes_in_plain_text(
    resources: Resources, ada: Person
) -> None:
    app = await enroll_authenticator(resources, ada)
    async with resources.unit_of_work() as uow:
        [sealed] = await uow.session.scalars(select(TotpFactor.encrypted_secret))
        hashes = await uow.session.scalars(text("SELECT length(code_hash) FROM recovery_codes"))
        rows = await uow.session.scalars(text("SELECT c::text FROM recovery_codes AS c"))

    assert app.secret not in sealed
    assert set(hashes) == {32}
    stored = "".join(rows)
    assert not any(code in stored or code.encode().hex() in stored for code in app.recovery_codes)
