"""Setting a second factor up, and taking it away."""

import asyncio

import httpx2
import pytest
from sqlalchemy import select, text

from app.core.resources import Resources
from app.core.security import hash_password
from app.models import TotpFactor, User
from app.services.session_service import SessionService
from tests.accounts import API, CALLER, PASSWORD, Person, bearer, log_in, someone
from tests.authenticator import Authenticator, read_secret, set_up_app
from tests.conftest import serve, waits_for_a_lock

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


async def test_the_secret_is_shown_once_also_as_an_uri(
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


async def test_a_factor_that_counts_is_not_replaced_before_it_is_removed(
    client: httpx2.AsyncClient, resources: Resources, ada: Person
) -> None:
    app = await set_up_app(resources, ada)
    for answer in (
        await client.post(FACTOR, json=PROOF, headers=ada.headers),
        await confirm(client, ada, app.code()),
    ):
        assert answer.status_code == 409
        assert answer.json()["detail"] == "Second factor is set up already"


async def test_sessions_that_began_without_the_factor_end_when_it_is_set_up(
    client: httpx2.AsyncClient, ada: Person
) -> None:
    other = (await log_in(client)).json()
    app = await begin(client, ada)
    await confirm(client, ada, app.code())

    me = f"{API}/users/me"
    assert (await client.get(me, headers=bearer(other["access_token"]))).status_code == 401
    assert (await client.get(me, headers=ada.headers)).status_code == 200


async def test_a_session_that_begins_while_the_factor_is_confirmed_does_not_outlive_it(
    committing: Resources,
) -> None:
    """A login has found no second factor, and is about to begin a session without it."""
    ada = await someone(committing, password_hash=await hash_password(PASSWORD))
    async with serve(committing) as client:
        app = await begin(client, ada)
        async with committing.unit_of_work() as login:
            user = await login.session.get(User, ada.id, with_for_update=True)
            assert user is not None
            confirming = asyncio.create_task(confirm(client, ada, app.code()))
            await waits_for_a_lock(committing)
            tokens = await SessionService(login, committing.settings, CALLER).open(user)
        assert (await confirming).status_code == 200
        me = await client.get(f"{API}/users/me", headers=bearer(tokens.access_token))

    assert me.status_code == 401


@pytest.mark.parametrize("path", ["", "/recovery-codes", "/disable"])
async def test_a_session_alone_changes_no_second_factor(
    client: httpx2.AsyncClient, resources: Resources, ada: Person, path: str
) -> None:
    app = await set_up_app(resources, ada) if path else None
    wrong = {"current_password": "wrong horse"}
    answers = [
        await client.post(f"{FACTOR}{path}", json=wrong, headers=ada.headers) for _ in range(11)
    ]

    assert [answer.status_code for answer in answers] == [400] * 10 + [429]
    assert answers[0].json()["detail"] == "Incorrect password"
    assert await status(client, ada) == ((True, 10) if app else (False, 0))


async def test_of_recovery_codes_renewed_twice_at_once_ten_are_good(committing: Resources) -> None:
    ada = await someone(committing, password_hash=await hash_password(PASSWORD))
    await set_up_app(committing, ada)
    async with serve(committing) as client:
        path = f"{FACTOR}/recovery-codes"
        await asyncio.gather(
            *(client.post(path, json=PROOF, headers=ada.headers) for _ in range(4))
        )
        assert await status(client, ada) == (True, 10)


@pytest.mark.parametrize("path", ["confirm", "recovery-codes", "disable"])
async def test_without_a_second_factor_there_is_none_to_change(
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


async def test_who_removes_the_factor_logs_in_with_the_password_alone(
    client: httpx2.AsyncClient, resources: Resources, ada: Person
) -> None:
    await set_up_app(resources, ada)
    answer = await client.post(f"{FACTOR}/disable", json=PROOF, headers=ada.headers)

    assert answer.json() == {"message": "Second factor removed"}
    assert await status(client, ada) == (False, 0)
    assert (await log_in(client)).status_code == 200


async def test_a_superuser_removes_the_factor_of_who_has_lost_it(
    client: httpx2.AsyncClient, resources: Resources, ada: Person, root: Person
) -> None:
    await set_up_app(resources, ada)
    path = f"{API}/users/{ada.id}/second-factor"
    answers = [await client.delete(path, headers=root.headers) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 404]
    assert (await log_in(client)).status_code == 200
    assert await events(client, root, ada) == ["second_factor.removed", "login.succeeded"]


async def test_the_trail_tells_of_every_change(
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


async def test_the_database_holds_neither_secret_nor_codes_in_clear(
    resources: Resources, ada: Person
) -> None:
    app = await set_up_app(resources, ada)
    async with resources.unit_of_work() as uow:
        [sealed] = await uow.session.scalars(select(TotpFactor.sealed_secret))
        hashes = await uow.session.scalars(text("SELECT length(code_hash) FROM recovery_codes"))
        rows = await uow.session.scalars(text("SELECT c::text FROM recovery_codes AS c"))

    assert app.secret not in sealed
    assert set(hashes) == {32}
    stored = "".join(rows)
    assert not any(code in stored or code.encode().hex() in stored for code in app.recovery_codes)
