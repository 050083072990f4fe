"""Who may use which route: every route, for everybody there is."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

import httpx2
import pytest

from app.core.resources import Resources
from app.core.security import hash_password
from app.models import Identity, Item, JobOwner, Role, SignupReport
from app.schemas.jobs import BuildSignupReport
from tests.accounts import PASSWORD, Person, bearer, someone
from tests.api_keys import an_api_key
from tests.authenticator import set_up_app
from tests.routes.operations import BODIES, GUARDED, OPEN, OPERATIONS, QUERIES, Operation
from tests.tokens import expired, forged

OWN, ADMIN, ANYBODY = (403, 200, 200), (403, 403, 200), (200, 200, 200)
ACCESS = {
    # operation: what a stranger, the owner and a superuser get
    "login-test_token": ANYBODY,
    "login-logout": ANYBODY,
    "login-logout_everywhere": ANYBODY,
    "login-recover_password_html_content": ADMIN,
    "users-read_users": ADMIN,
    "users-create_user": (403, 403, 201),
    "users-read_user_me": ANYBODY,
    "users-update_user_me": ANYBODY,
    "users-delete_user_me": (200, 200, 403),
    "users-update_password_me": ANYBODY,
    "users-read_sessions_me": ANYBODY,
    "users-end_session_me": (404, 200, 404),
    "users-read_user_by_id": OWN,
    "users-update_user": ADMIN,
    "users-delete_user": ADMIN,
    # All three have a second factor already.
    "second-factor-read_second_factor_me": ANYBODY,
    "second-factor-begin_second_factor_me": (409, 409, 409),
    "second-factor-confirm_second_factor_me": (409, 409, 409),
    "second-factor-renew_recovery_codes_me": ANYBODY,
    "second-factor-disable_second_factor_me": ANYBODY,
    "second-factor-remove_second_factor": ADMIN,
    "api-keys-read_api_keys_me": ANYBODY,
    "api-keys-create_api_key_me": (201, 201, 201),
    "api-keys-revoke_api_key_me": (404, 200, 404),
    "identities-read_identities_me": ANYBODY,
    "identities-link_identity_me": (404, 404, 404),  # no provider is configured
    "identities-unlink_identity_me": (404, 200, 404),
    "items-read_items": ANYBODY,
    "items-create_item": (201, 201, 201),
    "items-read_item": OWN,
    "items-update_item": OWN,
    "items-delete_item": OWN,
    "roles-read_roles": ADMIN,
    "roles-create_role": (403, 403, 201),
    "roles-read_role": ADMIN,
    "roles-update_role": ADMIN,
    "roles-delete_role": ADMIN,
    "roles-read_roles_of_user": ADMIN,
    "roles-give_role": ADMIN,
    "roles-take_role_away": ADMIN,
    "reports-request_signup_report": (403, 403, 202),
    "reports-read_reports": ADMIN,
    "reports-read_report": OWN,
    "jobs-read_job": OWN,
    "audit-read_audit_events": ADMIN,
    "utils-test_email": (403, 403, 201),
}


@dataclass(frozen=True)
class People:
    """A stranger, a superuser, and an owner of one of each."""

    stranger: Person
    owner: Person
    superuser: Person
    ids: dict[str, UUID | str]


@pytest.fixture
async def people(resources: Resources) -> People:
    password_hash = await hash_password(PASSWORD)
    stranger = await someone(resources, "stranger", password_hash=password_hash)
    owner = await someone(resources, "owner", password_hash=password_hash)
    root = await someone(resources, "root", superuser=True, password_hash=password_hash)
    for person in (stranger, owner, root):
        await set_up_app(resources, person)
    key_id, _ = await an_api_key(resources, owner)
    async with resources.unit_of_work() as uow:
        item = Item(title="A book", owner_id=owner.id)
        role = Role(name="reader", permissions=[])
        job_id = uow.enqueue(BuildSignupReport())
        report = SignupReport(
            id=job_id, first_day=date(2026, 1, 1), last_day=date(2026, 1, 1), total=0, days=[]
        )
        identity = Identity(
            user_id=owner.id, provider="acme", subject="1", email="owner@example.com"
        )
        job_owner = JobOwner(job_id=job_id, user_id=owner.id)
        uow.session.add_all([item, role, report, identity, job_owner])
    ids: dict[str, UUID | str] = {
        "user_id": owner.id,
        "id": item.id,
        "role_id": role.id,
        "identity_id": identity.id,
        "provider": "acme",
        "job_id": job_id,
        "report_id": job_id,
        "session_id": owner.session_id,
        "key_id": key_id,
        "email": owner.email,
    }
    return People(stranger, owner, root, ids)


async def ask(
    client: httpx2.AsyncClient,
    operation: Operation,
    headers: dict[str, str],
    ids: dict[str, UUID | str],
) -> httpx2.Response:
    return await client.request(
        operation.method,
        operation.path.format(**ids),
        headers=headers,
        json=BODIES.get(operation.id),
        params=QUERIES.get(operation.id),
    )


FOR_PROGRAMS = {
    "reports-request_signup_report",
    "reports-read_reports",
    "reports-read_report",
    "jobs-read_job",
    "audit-read_audit_events",
}
"""What an API key may be used for, where its scopes say so."""


async def test_a_program_may_do_what_its_scopes_say_and_nothing_else(
    client: httpx2.AsyncClient, resources: Resources, people: People
) -> None:
    """Even with the key of a superuser and every scope there is."""
    _, key = await an_api_key(resources, people.superuser)
    answers = {op: await ask(client, op, bearer(key), people.ids) for op in GUARDED}

    allowed = {op.id for op, answer in answers.items() if answer.status_code != 403}
    assert allowed == FOR_PROGRAMS
    assert {answers[op].json()["detail"] for op in GUARDED if op.id not in FOR_PROGRAMS} == {
        "An API key may not do this"
    }


@pytest.mark.parametrize("operation", GUARDED, ids=str)
async def test_what_a_stranger_the_owner_and_a_superuser_get(
    client: httpx2.AsyncClient, people: People, operation: Operation
) -> None:
    answers = [
        await ask(client, operation, person.headers, people.ids)
        for person in (people.stranger, people.owner, people.superuser)
    ]
    expected = ACCESS[operation.id]
    if operation.method == "DELETE" and expected == OWN:
        expected = (403, 200, 404)  # the owner was first

    assert tuple(answer.status_code for answer in answers) == expected


async def test_no_route_lets_anybody_in_without_a_valid_token(
    client: httpx2.AsyncClient, resources: Resources, people: People
) -> None:
    revoked = await someone(resources, "revoked", superuser=True)
    await client.post("/api/v1/logout", headers=revoked.headers)
    root = people.superuser
    strangers: dict[str, dict[str, str]] = {
        "nobody": {},
        "expired": bearer(expired(resources.settings, root)),
        "forged": bearer(forged(resources.settings, root)),
        "revoked": revoked.headers,
        "refresh token": bearer(root.refresh_token),
        "unknown key": bearer("fab_" + "x" * 43),
        "expired key": bearer((await an_api_key(resources, root, expired=True))[1]),
    }

    for operation in GUARDED:
        for name, headers in strangers.items():
            answer = await ask(client, operation, headers, people.ids)
            assert (answer.status_code, name) == (401, name), operation
            assert answer.headers["www-authenticate"] == "Bearer"


async def test_the_routes_open_to_everybody_are_the_listed_ones(
    client: httpx2.AsyncClient, people: People
) -> None:
    answers = {op: await ask(client, op, {}, people.ids) for op in OPERATIONS}

    without_login = {str(op) for op, answer in answers.items() if answer.status_code != 401}
    # A refresh token is a login of its own.
    assert without_login == OPEN - {"POST /api/v1/login/refresh"}
    assert len(OPERATIONS) == len(OPEN) + len(ACCESS)
