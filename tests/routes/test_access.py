"""Who may use which route: each route for each kind of user."""

from uuid import UUID

import httpx2
import pytest

from app.core.resources import Resources
from tests.routes.operations import GUARDED, OPEN, OPERATIONS, QUERIES, Operation
from tests.routes.people import People
from tests.support.accounts import bearer, create_user
from tests.support.api_keys import create_api_key
from tests.support.tokens import expired, forged

OWN, ADMIN, ANYBODY = (403, 200, 200), (403, 403, 200), (200, 200, 200)
ACCESS = {
    # operation: what a stranger, the owner and a superuser get
    "login-test_token": ANYBODY,
    "login-reauthenticate": ANYBODY,
    "login-begin_passkey_proof": ANYBODY,
    "login-logout": ANYBODY,
    "login-logout_everywhere": ANYBODY,
    "login-recover_password_html_content": ADMIN,
    "users-read_users": ADMIN,
    "users-create_user": (403, 403, 201),
    "users-read_user_me": ANYBODY,
    "users-update_user_me": ANYBODY,
    # Nothing is pending.
    "users-read_email_change_me": (404, 404, 404),
    "users-withdraw_email_change_me": (404, 404, 404),
    "users-delete_user_me": (200, 200, 403),
    "personal_data-export_personal_data_me": (202, 202, 202),
    "users-update_password_me": ANYBODY,
    "users-read_sessions_me": ANYBODY,
    "users-end_session_me": (404, 200, 404),
    "users-read_user_by_id": OWN,
    "users-update_user": ADMIN,
    "users-delete_user": ADMIN,
    # All three have a second factor already.
    "second_factor-read_second_factor_me": ANYBODY,
    "second_factor-begin_second_factor_me": (409, 409, 409),
    "second_factor-confirm_second_factor_me": (409, 409, 409),
    "second_factor-renew_recovery_codes_me": ANYBODY,
    "second_factor-disable_second_factor_me": ANYBODY,
    "second_factor-remove_second_factor": ADMIN,
    "passkeys-read_passkeys_me": ANYBODY,
    "passkeys-begin_passkey_me": ANYBODY,
    "passkeys-register_passkey_me": (400, 400, 400),  # of no ceremony
    "passkeys-rename_passkey_me": (404, 200, 404),
    "passkeys-remove_passkey_me": (404, 200, 404),
    "api_keys-read_api_keys_me": ANYBODY,
    "api_keys-create_api_key_me": (201, 201, 201),
    "api_keys-revoke_api_key_me": (404, 200, 404),
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
    "jobs-stream_job": OWN,
    "jobs-read_jobs": ADMIN,
    "jobs-read_job_details": ADMIN,
    "jobs-retry_job": ADMIN,
    "jobs-discard_job": ADMIN,
    "jobs-cancel_job": (403, 403, 409),  # it has failed for good
    "queues-read_queues": ADMIN,
    "queues-read_queue": ADMIN,
    "queues-pause_queue": ADMIN,
    "queues-resume_queue": ADMIN,
    "queues-limit_queue": ADMIN,
    "dead_letters-read_dead_letter_groups": ADMIN,
    "dead_letters-retry_dead_letters": (403, 403, 202),
    "dead_letters-discard_dead_letters": (403, 403, 202),
    "job_classes-read_job_classes": ADMIN,
    "job_classes-read_job_class": ADMIN,
    "workers-read_workers": ADMIN,
    "workers-read_crons": ADMIN,
    "workers-run_cron": (403, 403, 404),  # no worker is alive
    "audit-read_audit_events": ADMIN,
    "utils-test_email": (403, 403, 201),
}


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
        json=operation.body,
        params=QUERIES.get(operation.id),
    )


FOR_PROGRAMS = {
    "reports-request_signup_report",
    "reports-read_reports",
    "reports-read_report",
    "jobs-read_job",
    "jobs-stream_job",
    "jobs-read_jobs",
    "jobs-read_job_details",
    "jobs-retry_job",
    "jobs-discard_job",
    "jobs-cancel_job",
    "queues-read_queues",
    "queues-read_queue",
    "queues-pause_queue",
    "queues-resume_queue",
    "queues-limit_queue",
    "dead_letters-read_dead_letter_groups",
    "dead_letters-retry_dead_letters",
    "dead_letters-discard_dead_letters",
    "job_classes-read_job_classes",
    "job_classes-read_job_class",
    "workers-read_workers",
    "workers-read_crons",
    "workers-run_cron",
    "audit-read_audit_events",
}
"""The routes that an API key may use if its scopes allow it."""


async def test_an_api_key_may_do_what_its_scopes_allow_and_nothing_else(
    client: httpx2.AsyncClient, resources: Resources, people: People
) -> None:
    """Even with the key of a superuser and all scopes."""
    _, key = await create_api_key(resources, people.superuser)
    answers = {op: await ask(client, op, bearer(key), people.ids) for op in GUARDED}

    allowed = {op.id for op, answer in answers.items() if answer.status_code != 403}
    assert allowed == FOR_PROGRAMS
    assert {answers[op].json()["detail"] for op in GUARDED if op.id not in FOR_PROGRAMS} == {
        "An API key may not do this"
    }


@pytest.mark.parametrize("operation", GUARDED, ids=str)
async def test_each_route_answers_a_stranger_the_owner_and_a_superuser_as_listed(
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


async def test_no_guarded_route_works_without_a_valid_token(
    client: httpx2.AsyncClient, resources: Resources, people: People
) -> None:
    revoked = await create_user(resources, "revoked", superuser=True)
    await client.post("/api/v1/logout", headers=revoked.headers)
    root = people.superuser
    strangers: dict[str, dict[str, str]] = {
        "nobody": {},
        "expired": bearer(expired(resources.settings, root)),
        "forged": bearer(forged(resources.settings, root)),
        "revoked": revoked.headers,
        "refresh token": bearer(root.refresh_token),
        "unknown key": bearer("fab_" + "x" * 43),
        "expired key": bearer((await create_api_key(resources, root, expired=True))[1]),
    }

    for operation in GUARDED:
        for name, headers in strangers.items():
            answer = await ask(client, operation, headers, people.ids)
            assert (answer.status_code, name) == (401, name), operation
            assert answer.headers["www-authenticate"] == "Bearer"


async def test_only_the_listed_routes_need_no_login(
    client: httpx2.AsyncClient, people: People
) -> None:
    answers = {op: await ask(client, op, {}, people.ids) for op in OPERATIONS}

    without_login = {str(op) for op, answer in answers.items() if answer.status_code != 401}
    # A refresh token is a login of its own.
    assert without_login == OPEN - {"POST /api/v1/login/refresh"}
    assert len(OPERATIONS) == len(OPEN) + len(ACCESS)
