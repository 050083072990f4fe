"""A stolen access token is not enough to stay in an account, or to destroy something."""

from datetime import timedelta

import httpx2
import pytest
from sqlalchemy import func, select, update

from app.core.resources import Resources
from app.models import AuditEvent, Item, TotpFactor, User, UserSession
from tests.routes.conftest import Undone
from tests.routes.operations import GUARDED, QUERIES, Operation
from tests.routes.people import People
from tests.support.accounts import API, PASSWORD, Person, bearer, create_user, log_in
from tests.support.api_keys import create_api_key
from tests.support.authenticator import enroll_authenticator

REAUTHENTICATE = f"{API}/login/reauthenticate"
API_KEYS = f"{API}/users/me/api-keys"
KEY = {"name": "import", "scopes": ["reports:read"]}

NEED_A_RECENT_PROOF = {
    "login-recover_password_html_content",
    "users-create_user",
    "users-update_user_me",  # of the address
    "users-delete_user_me",
    "users-update_user",
    "users-delete_user",
    "second_factor-begin_second_factor_me",
    "second_factor-renew_recovery_codes_me",
    "second_factor-disable_second_factor_me",
    "second_factor-remove_second_factor",
    "passkeys-begin_passkey_me",
    "passkeys-remove_passkey_me",
    "api_keys-create_api_key_me",
    "api_keys-revoke_api_key_me",
    "user_access-end_sessions_of_user",
    "user_access-end_session_of_user",
    "user_access-revoke_api_key_of_user",
    "identities-link_identity_me",
    "identities-unlink_identity_me",
    "roles-create_role",
    "roles-update_role",
    "roles-delete_role",
    "roles-give_role",
    "roles-take_role_away",
    "jobs-cancel_job",
    "jobs-discard_job",
    "dead_letters-retry_dead_letters",
    "dead_letters-discard_dead_letters",
}
"""Routes that would let a thief keep access or destroy data. A new route of this kind belongs here
and needs `dependencies=[Depends(requires_recent(minutes=5))]`.
"""


async def let_pass(resources: Resources, *, minutes: int, person: Person | None = None) -> None:
    """Make the last proof of users earlier."""
    sessions = update(UserSession)
    if person is not None:
        sessions = sessions.where(UserSession.id == person.session_id)
    async with resources.unit_of_work() as uow:
        earlier = func.now() - timedelta(minutes=minutes, seconds=1)
        await uow.session.execute(sessions.values(proven_at=earlier))


def without_password(operation: Operation) -> object:
    if operation.id == "users-update_user_me":
        return {"email": "thief@example.com"}
    body = operation.body
    if not isinstance(body, dict) or operation.id == "users-update_password_me":
        return body
    return {field: value for field, value in body.items() if field != "current_password"}


async def test_with_a_stolen_access_token_each_route_asks_for_a_proof_as_listed(
    client: httpx2.AsyncClient, resources: Resources, people: People, undone: Undone
) -> None:
    await let_pass(resources, minutes=5)
    asked = {}
    for operation in GUARDED:
        async with undone():
            asked[operation.id] = [
                is_proof_required(await ask(client, operation, thief, people))
                for thief in (people.owner, people.superuser)
            ]

    assert asked == {it.id: [it.id in NEED_A_RECENT_PROOF] * 2 for it in GUARDED}


async def ask(
    client: httpx2.AsyncClient, operation: Operation, thief: Person, people: People
) -> httpx2.Response:
    return await client.request(
        operation.method,
        operation.path.format(**people.ids),
        headers=thief.headers,
        json=without_password(operation),
        params=QUERIES.get(operation.id),
    )


def is_proof_required(answer: httpx2.Response) -> bool:
    """Return whether the answer asks for a proof. Answers with another status may not be JSON."""
    if answer.status_code != 403:
        return False
    return bool(answer.json()["type"] == "urn:problem:recent-proof-required")


async def test_the_answer_says_how_the_user_can_prove_it(
    client: httpx2.AsyncClient, resources: Resources, ada: Person
) -> None:
    await let_pass(resources, minutes=5)
    by_password = await client.post(API_KEYS, json=KEY, headers=ada.headers)
    await enroll_authenticator(resources, ada)
    by_code = await client.post(API_KEYS, json=KEY, headers=ada.headers)
    async with resources.unit_of_work() as uow:
        await uow.session.execute(update(User).values(password_hash=None))
        await uow.session.execute(update(TotpFactor).values(confirmed_at=None))
    by_login = await client.post(API_KEYS, json=KEY, headers=ada.headers)

    assert by_password.json() | {"request_id": "…"} == {
        "type": "urn:problem:recent-proof-required",
        "title": "Forbidden",
        "status": 403,
        "detail": "Confirm that it is you, then try again",
        "request_id": "…",
        "proof": {"methods": ["password"], "minutes": 5},
    }
    assert by_code.json()["proof"]["methods"] == ["password", "totp"]
    assert by_login.json()["proof"]["methods"] == ["login"]


async def test_a_proof_counts_for_five_minutes(
    client: httpx2.AsyncClient, resources: Resources, ada: Person
) -> None:
    await let_pass(resources, minutes=5)
    assert (await client.delete(f"{API}/users/me", headers=ada.headers)).status_code == 403

    proof = await client.post(REAUTHENTICATE, json={"password": PASSWORD}, headers=ada.headers)
    assert (proof.status_code, proof.json()) == (200, {"message": "Confirmed"})
    await let_pass(resources, minutes=4)
    assert (await client.post(API_KEYS, json=KEY, headers=ada.headers)).status_code == 201
    assert (await client.delete(f"{API}/users/me", headers=ada.headers)).status_code == 200


@pytest.mark.parametrize("kind", ["code", "recovery code"])
async def test_the_second_factor_is_a_proof(
    client: httpx2.AsyncClient, resources: Resources, ada: Person, kind: str
) -> None:
    app = await enroll_authenticator(resources, ada)
    await let_pass(resources, minutes=5)
    code = app.code() if kind == "code" else app.recovery_codes[0]
    proof = await client.post(REAUTHENTICATE, json={"code": code}, headers=ada.headers)
    again = await client.post(REAUTHENTICATE, json={"code": code}, headers=ada.headers)

    assert (proof.status_code, again.status_code) == (200, 400)
    assert (await client.post(API_KEYS, json=KEY, headers=ada.headers)).status_code == 201
    event = await resources.reader.first(
        select(AuditEvent.details).where(AuditEvent.event == "session.proven")
    )
    assert event == ({"method": "totp" if kind == "code" else "recovery_code"},)


async def test_a_login_is_a_proof_but_a_refresh_is_not(
    client: httpx2.AsyncClient, resources: Resources, ada: Person
) -> None:
    await let_pass(resources, minutes=5)
    answer = await client.post(f"{API}/login/refresh", json={"refresh_token": ada.refresh_token})
    refreshed, logged_in = answer.json(), (await log_in(client)).json()
    answers = [
        await client.post(API_KEYS, json=KEY, headers=bearer(tokens["access_token"]))
        for tokens in (refreshed, logged_in)
    ]

    assert [answer.status_code for answer in answers] == [403, 201]


async def test_a_proof_belongs_to_one_session(
    client: httpx2.AsyncClient, resources: Resources, ada: Person
) -> None:
    owner = bearer((await log_in(client)).json()["access_token"])
    await let_pass(resources, minutes=5)
    await client.post(REAUTHENTICATE, json={"password": PASSWORD}, headers=owner)

    assert (await client.post(API_KEYS, json=KEY, headers=owner)).status_code == 201
    assert (await client.post(API_KEYS, json=KEY, headers=ada.headers)).status_code == 403


@pytest.mark.parametrize("wrong", [{"password": "wrong"}, {"code": "000000"}], ids=str)
async def test_a_thief_cannot_guess_the_proof(
    client: httpx2.AsyncClient, resources: Resources, ada: Person, wrong: dict[str, str]
) -> None:
    await let_pass(resources, minutes=5)
    answers = [
        await client.post(REAUTHENTICATE, json=wrong, headers=ada.headers) for _ in range(11)
    ]

    assert [answer.status_code for answer in answers] == [400] * 10 + [429]
    assert (await client.post(API_KEYS, json=KEY, headers=ada.headers)).status_code == 403


@pytest.mark.parametrize("data", [{}, {"password": PASSWORD, "code": "000000"}], ids=str)
async def test_a_proof_is_one_of_password_code_and_passkey(
    client: httpx2.AsyncClient, ada: Person, data: dict[str, str]
) -> None:
    assert (await client.post(REAUTHENTICATE, json=data, headers=ada.headers)).status_code == 422


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/api-keys", KEY, 201),
        ("POST", "/second-factor", {}, 201),
        ("PATCH", "", {"email": "new@example.com"}, 200),
    ],
    ids=str,
)
async def test_clients_that_send_the_current_password_keep_working(  # noqa: PLR0913, PLR0917
    client: httpx2.AsyncClient,
    resources: Resources,
    ada: Person,
    method: str,
    path: str,
    body: dict[str, str],
    status: int,
) -> None:
    await let_pass(resources, minutes=5)
    answers = [
        await client.request(
            method,
            f"{API}/users/me{path}",
            headers=ada.headers,
            json=body | {"current_password": password},
        )
        for password in ("wrong", PASSWORD)
    ]

    assert [answer.status_code for answer in answers] == [400, status]


async def test_users_may_work_without_a_recent_proof(
    client: httpx2.AsyncClient, resources: Resources, ada: Person
) -> None:
    await let_pass(resources, minutes=600)
    answer = await client.post(f"{API}/items/", json={"title": "A book"}, headers=ada.headers)

    assert answer.status_code == 201
    assert await resources.reader.scalar(select(func.count()).select_from(Item)) == 1


async def test_an_api_key_needs_no_proof_and_cannot_give_one(
    client: httpx2.AsyncClient, resources: Resources
) -> None:
    root = await create_user(resources, "root", superuser=True)
    _, key = await create_api_key(resources, root)
    answer = await client.post(REAUTHENTICATE, json={"password": PASSWORD}, headers=bearer(key))
    report = await client.post(f"{API}/reports/signups", json={"days": 7}, headers=bearer(key))

    assert (answer.status_code, answer.json()["detail"]) == (403, "An API key may not do this")
    assert report.status_code == 202
