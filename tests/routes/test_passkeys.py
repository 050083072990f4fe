"""Users register, rename, and remove passkeys, and log in with a passkey alone."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from sqlalchemy import func, select, update

from app.core.queue import EMAIL
from app.core.resources import Resources
from app.models import (
    AuditEvent,
    Identity,
    Passkey,
    Purpose,
    SecurityAlert,
    User,
    UserSession,
)
from app.services.auth.email_token_service import EmailTokenService
from app.services.confirmation import confirm_email
from tests.support.accounts import (
    API,
    Person,
    bearer,
    create_user,
    log_in,
    open_anonymous_scope,
)
from tests.support.api_keys import create_api_key
from tests.support.authenticator import enroll_authenticator
from tests.support.passkeys import (
    BACKED_UP,
    BACKUP_ELIGIBLE,
    USER_PRESENT,
    USER_VERIFIED,
    Credential,
    SoftwareAuthenticator,
    passkey_of,
)

PASSKEYS = f"{API}/users/me/passkeys"
LOGIN = f"{API}/login/passkey"
Problem = tuple[int, str]


@dataclass(frozen=True)
class Device:
    """A device of a user that uses the service."""

    client: httpx2.AsyncClient
    authenticator: SoftwareAuthenticator

    async def register(self, person: Person, name: str = "Phone") -> httpx2.Response:
        begun = (await self.client.post(f"{PASSKEYS}/options", headers=person.headers)).json()
        credential = self.authenticator.create(begun["public_key"])
        body = {"state": begun["state"], "credential": credential, "name": name}
        return await self.client.post(PASSKEYS, json=body, headers=person.headers)

    async def begin(self, path: str = LOGIN, **request: Any) -> dict[str, Any]:  # noqa: ANN401
        answer = await self.client.post(f"{path}/options", **request)
        begun: dict[str, Any] = answer.json()
        return begun

    async def sign(self) -> dict[str, Any]:
        """Return the body that logs in."""
        begun = await self.begin()
        return {
            "state": begun["state"],
            "credential": self.authenticator.get(begun["public_key"]),
        }

    async def log_in(self) -> httpx2.Response:
        return await self.client.post(LOGIN, json=await self.sign())


@pytest.fixture
def phone(client: httpx2.AsyncClient) -> Device:
    return Device(client, SoftwareAuthenticator())


def problem(answer: httpx2.Response) -> Problem:
    return answer.status_code, answer.json()["detail"]


INCORRECT = (400, "Incorrect passkey")
EXPIRED = (400, "This request for a passkey has expired or was already used. Start again")
INVALID = (400, "This passkey cannot be registered here. Try again, or use another device")


async def test_a_user_registers_a_passkey_and_logs_in_with_it_alone(
    phone: Device, ada: Person
) -> None:
    registered = await phone.register(ada)
    answer = await phone.log_in()
    me = await phone.client.get(f"{API}/users/me", headers=bearer(answer.json()["access_token"]))

    assert registered.status_code == 201, registered.text
    assert answer.status_code == 200, answer.text
    assert me.json()["email"] == ada.email


async def test_the_browser_is_asked_for_a_passkey_that_verifies_its_user(
    phone: Device, ada: Person
) -> None:
    creation = await phone.begin(PASSKEYS, headers=ada.headers)
    request = await phone.begin()

    options = creation["public_key"]
    assert options["rp"]["id"] == "service.example.com"
    assert options["user"]["name"] == ada.email
    assert options["authenticatorSelection"]["residentKey"] == "required"
    assert options["authenticatorSelection"]["userVerification"] == "required"
    assert request["public_key"]["userVerification"] == "required"
    assert request["public_key"]["rpId"] == "service.example.com"
    assert not request["public_key"].get("allowCredentials")


async def test_users_list_name_and_remove_their_passkeys(phone: Device, ada: Person) -> None:
    phone.authenticator.flags |= BACKUP_ELIGIBLE | BACKED_UP
    created = (await phone.register(ada, "Phone")).json()
    path = f"{PASSKEYS}/{created['id']}"
    await phone.client.patch(path, json={"name": "Old phone"}, headers=ada.headers)
    [listed] = (await phone.client.get(PASSKEYS, headers=ada.headers)).json()
    removed = await phone.client.delete(path, headers=ada.headers)

    assert (created["name"], listed["name"]) == ("Phone", "Old phone")
    assert listed["transports"] == ["internal", "hybrid"]
    assert (listed["is_backed_up"], listed["last_used_at"]) == (True, None)
    assert removed.json() == {"message": "Passkey removed"}
    assert (await phone.client.get(PASSKEYS, headers=ada.headers)).json() == []
    assert problem(await phone.log_in()) == INCORRECT


async def test_users_cannot_touch_the_passkeys_of_others(
    phone: Device, resources: Resources, ada: Person
) -> None:
    bob = await create_user(resources, "bob")
    path = f"{PASSKEYS}/{(await phone.register(ada)).json()['id']}"
    renamed = await phone.client.patch(path, json={"name": "Mine"}, headers=bob.headers)
    removed = await phone.client.delete(path, headers=bob.headers)

    assert problem(renamed) == problem(removed) == (404, "Passkey not found")
    assert (await phone.log_in()).status_code == 200


async def test_a_stolen_access_token_is_not_enough_for_a_new_passkey(
    phone: Device, resources: Resources, ada: Person
) -> None:
    async with resources.unit_of_work() as uow:
        await uow.session.execute(
            update(UserSession).values(proven_at=func.now() - timedelta(minutes=6))
        )
    answer = await phone.client.post(f"{PASSKEYS}/options", headers=ada.headers)

    assert problem(answer) == (403, "Confirm that it is you, then try again")


async def test_an_api_key_cannot_add_a_passkey(
    phone: Device, resources: Resources, ada: Person
) -> None:
    _, key = await create_api_key(resources, ada)
    answer = await phone.client.post(f"{PASSKEYS}/options", headers=bearer(key))

    assert problem(answer) == (403, "An API key may not do this")


async def test_a_user_has_at_most_twenty_passkeys(
    phone: Device, resources: Resources, ada: Person
) -> None:
    unused = await phone.begin(PASSKEYS, headers=ada.headers)
    async with resources.unit_of_work() as uow:
        uow.session.add_all(passkey_of(ada.id) for _ in range(19))
    twentieth = await phone.register(ada)
    one_more = await phone.client.post(f"{PASSKEYS}/options", headers=ada.headers)
    credential = phone.authenticator.create(unused["public_key"])
    body = {"state": unused["state"], "credential": credential}
    late = await phone.client.post(PASSKEYS, json=body, headers=ada.headers)

    assert twentieth.status_code == 201
    full = (409, "You have 20 passkeys, which is the limit. Remove one first")
    assert problem(one_more) == problem(late) == full


async def test_a_device_is_asked_not_to_register_twice_and_cannot(
    phone: Device, resources: Resources, ada: Person
) -> None:
    bob = await create_user(resources, "bob")
    await phone.register(ada)
    begun = await phone.begin(PASSKEYS, headers=ada.headers)
    [excluded] = begun["public_key"]["excludeCredentials"]
    other = SoftwareAuthenticator()
    copied = await phone.begin(PASSKEYS, headers=bob.headers)
    credential = other.create(copied["public_key"])
    body = {"state": copied["state"], "credential": credential}
    async with resources.unit_of_work() as uow:
        await uow.session.execute(update(Passkey).values(credential_id=other.keys[0].id))
    answer = await phone.client.post(PASSKEYS, json=body, headers=bob.headers)

    assert excluded["transports"] == ["internal", "hybrid"]
    assert problem(answer) == (409, "This passkey is already registered")


async def test_a_registration_works_once_and_for_its_own_user(
    phone: Device, resources: Resources, ada: Person
) -> None:
    bob = await create_user(resources, "bob")
    begun = await phone.begin(PASSKEYS, headers=ada.headers)
    credential = phone.authenticator.create(begun["public_key"])
    body = {"state": begun["state"], "credential": credential}
    by_bob = await phone.client.post(PASSKEYS, json=body, headers=bob.headers)
    first = await phone.client.post(PASSKEYS, json=body, headers=ada.headers)
    again = await phone.client.post(PASSKEYS, json=body, headers=ada.headers)

    assert first.status_code == 201
    assert problem(by_bob) == problem(again) == EXPIRED


async def test_a_login_with_a_passkey_works_once(phone: Device, ada: Person) -> None:
    await phone.register(ada)
    body = await phone.sign()
    first = await phone.client.post(LOGIN, json=body)
    replayed = await phone.client.post(LOGIN, json=body)

    assert (first.status_code, problem(replayed)) == (200, EXPIRED)


@pytest.mark.parametrize(
    "changed",
    [
        {"origin": "https://evil.example.com"},
        {"origin": "http://service.example.com"},
        {"party": "evil.example.com"},
        {"flags": USER_PRESENT},
        {"flags": USER_VERIFIED},
        {"flags": USER_PRESENT | USER_VERIFIED | BACKED_UP},
    ],
    ids=["other site", "plain http", "other party", "unverified", "absent", "impossible backup"],
)
async def test_an_answer_for_another_site_or_without_its_user_is_refused(
    phone: Device, resources: Resources, ada: Person, changed: dict[str, Any]
) -> None:
    await phone.register(ada)
    # The device has the registered passkey and does everything else correctly.
    evil = replace(phone, authenticator=replace(phone.authenticator, **changed))
    answer = await evil.log_in()
    registered = await evil.register(ada)

    assert problem(registered) == INVALID
    assert problem(answer) == INCORRECT
    assert await resources.reader.scalar(select(func.count()).select_from(Passkey)) == 1


def with_another_challenge(_: Credential, phone: Device) -> Credential:
    key = phone.authenticator.keys[0]
    return phone.authenticator.get({"challenge": "b" * 43, "rpId": key.party})


def with_another_key(credential: Credential, _: Device) -> Credential:
    stranger = SoftwareAuthenticator()
    party, user = {"id": "service.example.com"}, {"id": "YWRh"}
    stranger.create({"rp": party, "user": user, "challenge": "a"})
    signed = stranger.get({"challenge": "a" * 43})
    return credential | {
        "response": credential["response"] | {"signature": signed["response"]["signature"]}
    }


def for_another_user(credential: Credential, _: Device) -> Credential:
    return credential | {"response": credential["response"] | {"userHandle": "YWRh"}}


def without_a_user(credential: Credential, _: Device) -> Credential:
    return credential | {"response": credential["response"] | {"userHandle": None}}


def unknown(credential: Credential, _: Device) -> Credential:
    return credential | {"id": "YWRh", "rawId": "YWRh"}


def with_two_ids(credential: Credential, _: Device) -> Credential:
    return credential | {"id": "YWRh"}


def garbled(credential: Credential, _: Device) -> Credential:
    return credential | {"response": credential["response"] | {"authenticatorData": "YWRhY"}}


@pytest.mark.parametrize(
    "forge",
    [
        with_another_challenge,
        with_another_key,
        for_another_user,
        without_a_user,
        unknown,
        with_two_ids,
        garbled,
    ],
)
async def test_a_forged_answer_is_refused_and_recorded(
    phone: Device,
    resources: Resources,
    ada: Person,
    forge: Any,  # noqa: ANN401
) -> None:
    await phone.register(ada)
    body = await phone.sign()
    forged = body | {"credential": forge(body["credential"], phone)}

    assert problem(await phone.client.post(LOGIN, json=forged)) == INCORRECT
    recorded = select(func.count()).where(AuditEvent.event == "passkey.failed")
    assert await resources.reader.scalar(recorded) == 1
    assert (await phone.client.post(LOGIN, json=body)).status_code == 200


async def test_a_copied_passkey_is_refused_once_it_has_fallen_behind_and_its_owner_is_alerted(
    phone: Device, resources: Resources, ada: Person
) -> None:
    await phone.register(ada)
    copy = phone.authenticator.keys[0].copy()
    assert (await phone.log_in()).status_code == 200
    begun = await phone.begin()
    credential = phone.authenticator.get(begun["public_key"], copy)
    answer = await phone.client.post(
        LOGIN, json={"state": begun["state"], "credential": credential}
    )

    assert problem(answer) == INCORRECT
    recorded = select(AuditEvent.user_id).where(AuditEvent.event == "passkey.copied")
    assert await resources.reader.all(recorded) == [(ada.id,)]
    alerts = select(SecurityAlert.email).where(SecurityAlert.kind == "passkey.copied")
    assert await resources.reader.all(alerts) == [(ada.email,)]
    jobs = [job.function for job in await resources.queues[EMAIL].queued_jobs()]
    assert jobs.count("SendSecurityAlert") == 2  # of the new passkey, and of its copy


async def test_an_authenticator_that_does_not_count_logs_in_repeatedly(
    phone: Device, ada: Person
) -> None:
    phone.authenticator.counts = False
    await phone.register(ada)

    assert [(await phone.log_in()).status_code for _ in range(3)] == [200] * 3


async def test_a_state_that_we_did_not_sign_is_refused(phone: Device, ada: Person) -> None:
    await phone.register(ada)
    body = await phone.sign()
    for state in ("", "x" * 100, body["state"][:-2], f"{body['state']}x"):
        assert problem(await phone.client.post(LOGIN, json=body | {"state": state})) == EXPIRED


async def test_a_deactivated_user_does_not_get_in_with_a_passkey(
    phone: Device, resources: Resources, ada: Person
) -> None:
    await phone.register(ada)
    async with resources.unit_of_work() as uow:
        await uow.session.execute(update(User).values(is_active=False))

    assert problem(await phone.log_in()) == (400, "Inactive user")


async def test_the_only_way_to_log_in_is_not_removed(
    phone: Device, resources: Resources, ada: Person
) -> None:
    path = f"{PASSKEYS}/{(await phone.register(ada)).json()['id']}"
    async with resources.unit_of_work() as uow:
        await uow.session.execute(update(User).values(password_hash=None))
    refused = await phone.client.delete(path, headers=ada.headers)
    async with resources.unit_of_work() as uow:
        identity = Identity(user_id=ada.id, provider="acme", subject="1", email=ada.email)
        uow.session.add(identity)
    removed = await phone.client.delete(path, headers=ada.headers)

    assert (refused.status_code, removed.status_code) == (409, 200)


# As a second factor


async def begin_second_step(phone: Device) -> dict[str, Any]:
    answer = await log_in(phone.client)
    assert problem(answer) == (400, "Second factor required")
    challenge: dict[str, Any] = answer.json()["second_factor"]
    return challenge


async def test_a_login_with_the_password_asks_for_the_passkey(phone: Device, ada: Person) -> None:
    await phone.register(ada)
    challenge = await begin_second_step(phone)
    token = {"token": challenge["token"]}
    begun = await phone.begin(f"{API}/login/second-factor", json=token)
    credential = phone.authenticator.get(begun["public_key"])
    body = token | {"passkey": {"state": begun["state"], "credential": credential}}
    answer = await phone.client.post(f"{API}/login/second-factor", json=body)

    assert challenge["methods"] == ["passkey", "recovery_code"]
    assert len(begun["public_key"]["allowCredentials"]) == 1
    assert answer.status_code == 200, answer.text


async def test_the_passkey_of_another_user_is_not_accepted_as_a_second_factor(
    phone: Device, resources: Resources, ada: Person
) -> None:
    eve = await create_user(resources, "eve")
    await phone.register(ada)
    evil = replace(phone, authenticator=SoftwareAuthenticator())
    await evil.register(eve)
    token = {"token": (await begin_second_step(phone))["token"]}
    begun = await phone.begin(f"{API}/login/second-factor", json=token)
    [key] = evil.authenticator.keys
    credential = evil.authenticator.get(begun["public_key"], key)
    body = token | {"passkey": {"state": begun["state"], "credential": credential}}
    own_login = token | {"passkey": await evil.sign()}

    path = f"{API}/login/second-factor"
    assert problem(await phone.client.post(path, json=body)) == INCORRECT
    assert problem(await phone.client.post(path, json=own_login)) == EXPIRED


async def test_the_signature_of_a_proof_is_not_accepted_as_a_second_factor(
    phone: Device, ada: Person
) -> None:
    await phone.register(ada)
    token = {"token": (await begin_second_step(phone))["token"]}
    begun = await phone.begin(f"{API}/login/reauthenticate", headers=ada.headers)
    credential = phone.authenticator.get(begun["public_key"])
    body = token | {"passkey": {"state": begun["state"], "credential": credential}}

    path = f"{API}/login/second-factor"
    assert problem(await phone.client.post(path, json=body)) == EXPIRED


async def test_the_first_second_factor_brings_recovery_codes_and_ends_other_sessions(
    phone: Device, ada: Person
) -> None:
    other = (await log_in(phone.client)).json()["access_token"]
    first, second = (await phone.register(ada)).json(), (await phone.register(ada)).json()
    challenge = await begin_second_step(phone)
    step = {"token": challenge["token"], "code": first["recovery_codes"][0]}
    answer = await phone.client.post(f"{API}/login/second-factor", json=step)

    assert (len(first["recovery_codes"]), second["recovery_codes"]) == (10, None)
    assert answer.status_code == 200
    me = await phone.client.get(f"{API}/users/me", headers=bearer(other))
    assert me.status_code == 401


async def test_a_passkey_or_an_authenticator_app_is_enough_for_the_second_step(
    phone: Device, resources: Resources, ada: Person
) -> None:
    app = await enroll_authenticator(resources, ada)
    registered = (await phone.register(ada)).json()
    challenge = await begin_second_step(phone)
    step = {"token": challenge["token"], "code": app.code()}
    by_app = await phone.client.post(f"{API}/login/second-factor", json=step)

    assert registered["recovery_codes"] is None
    assert challenge["methods"] == ["totp", "passkey", "recovery_code"]
    assert by_app.status_code == 200


async def test_recovery_codes_last_as_long_as_any_second_factor(
    phone: Device, resources: Resources, ada: Person
) -> None:
    await enroll_authenticator(resources, ada)
    created = (await phone.register(ada)).json()
    factor = f"{API}/users/me/second-factor"
    await phone.client.post(f"{factor}/disable", json={}, headers=ada.headers)
    with_passkey = (await phone.client.get(factor, headers=ada.headers)).json()
    await phone.client.delete(f"{PASSKEYS}/{created['id']}", headers=ada.headers)
    without = (await phone.client.get(factor, headers=ada.headers)).json()

    assert with_passkey == {"enabled": True, "methods": ["passkey"], "recovery_codes_left": 10}
    assert without == {"enabled": False, "methods": [], "recovery_codes_left": 0}
    assert (await log_in(phone.client)).status_code == 200


async def test_a_superuser_removes_the_passkeys_of_a_user_who_has_lost_them(
    phone: Device, ada: Person, root: Person
) -> None:
    await phone.register(ada)
    path = f"{API}/users/{ada.id}/second-factor"
    answer = await phone.client.delete(path, headers=root.headers)

    assert answer.status_code == 200
    assert (await log_in(phone.client)).status_code == 200


# As a proof


async def test_a_passkey_proves_again_who_the_user_is(
    phone: Device, resources: Resources, ada: Person
) -> None:
    await phone.register(ada)
    async with resources.unit_of_work() as uow:
        await uow.session.execute(
            update(UserSession).values(proven_at=func.now() - timedelta(minutes=6))
        )
    asked = await phone.client.delete(f"{API}/users/me", headers=ada.headers)
    path = f"{API}/login/reauthenticate"
    begun = await phone.begin(path, headers=ada.headers)
    credential = phone.authenticator.get(begun["public_key"])
    body = {"passkey": {"state": begun["state"], "credential": credential}}
    for_a_login = await phone.client.post(
        path, json={"passkey": await phone.sign()}, headers=ada.headers
    )
    proven = await phone.client.post(path, json=body, headers=ada.headers)
    deleted = await phone.client.delete(f"{API}/users/me", headers=ada.headers)

    assert asked.json()["proof"]["methods"] == ["password", "passkey"]
    assert problem(for_a_login) == EXPIRED
    assert (proven.status_code, deleted.status_code) == (200, 200), proven.text


async def test_the_wrong_answers_of_a_thief_are_limited(phone: Device, ada: Person) -> None:
    await phone.register(ada)
    path = f"{API}/login/reauthenticate"
    begun = await phone.begin(path, headers=ada.headers)
    forged = unknown(phone.authenticator.get(begun["public_key"]), phone)
    body = {"passkey": {"state": begun["state"], "credential": forged}}
    answers = [await phone.client.post(path, json=body, headers=ada.headers) for _ in range(11)]

    assert [answer.status_code for answer in answers] == [400] * 10 + [429]


# After a takeover


async def reset_password(phone: Device, resources: Resources, ada: Person, new: str) -> None:
    """Follow the link of a recovery email."""
    async with open_anonymous_scope(resources) as scope:
        tokens = EmailTokenService(scope)
        token = await tokens.issue(ada.id, Purpose.RESET_PASSWORD, email=ada.email, lifetime=60)
    body = {"token": token, "new_password": new}
    answer = await phone.client.post(f"{API}/reset-password/", json=body)
    assert answer.status_code == 200, answer.text


async def use_as_second_factor(phone: Device, ada: Person, password: str) -> httpx2.Response:
    first = (await log_in(phone.client, ada.email, password)).json()
    token = {"token": first["second_factor"]["token"]}
    begun = await phone.begin(f"{API}/login/second-factor", json=token)
    credential = phone.authenticator.get(begun["public_key"])
    body = token | {"passkey": {"state": begun["state"], "credential": credential}}
    return await phone.client.post(f"{API}/login/second-factor", json=body)


async def test_after_a_reset_a_passkey_of_the_attacker_does_not_log_in(
    phone: Device, resources: Resources, ada: Person
) -> None:
    """A thief of the mailbox cannot remove the owner's passkey, either."""
    await phone.register(ada)
    await reset_password(phone, resources, ada, "a fresh battery")
    alone = await phone.log_in()

    assert alone.status_code == 400
    assert alone.json()["detail"].startswith("The password was reset since")
    assert problem(await log_in(phone.client, ada.email, "a fresh battery")) == (
        400,
        "Second factor required",
    )


async def test_after_a_reset_a_passkey_works_alone_once_it_was_used_with_the_password(
    phone: Device, resources: Resources, ada: Person
) -> None:
    await phone.register(ada)
    await reset_password(phone, resources, ada, "a fresh battery")
    beside = await use_as_second_factor(phone, ada, "a fresh battery")

    assert beside.status_code == 200, beside.text
    assert (await phone.log_in()).status_code == 200


async def test_before_the_address_is_confirmed_there_is_no_passkey(
    phone: Device, resources: Resources, ada: Person
) -> None:
    begun = await phone.begin(PASSKEYS, headers=ada.headers)
    credential = phone.authenticator.create(begun["public_key"])
    async with resources.unit_of_work() as uow:
        await uow.session.execute(update(User).values(email_verified_at=None))
    body = {"state": begun["state"], "credential": credential}
    answer = await phone.client.post(PASSKEYS, json=body, headers=ada.headers)

    confirm = "Confirm your email address first: follow the link that we sent you."
    assert problem(answer) == (400, confirm)


async def test_the_first_confirmation_of_an_address_removes_passkeys(
    phone: Device, resources: Resources, ada: Person
) -> None:
    await phone.register(ada)
    async with open_anonymous_scope(resources) as scope:
        user = await scope.uow.session.get_one(User, ada.id)
        user.email_verified_at = None
        await confirm_email(scope, user)

    assert problem(await phone.log_in()) == INCORRECT


async def test_the_owner_is_alerted_of_each_new_and_each_removed_passkey(
    phone: Device, resources: Resources, ada: Person
) -> None:
    created = (await phone.register(ada)).json()
    await phone.client.delete(f"{PASSKEYS}/{created['id']}", headers=ada.headers)

    kinds = select(SecurityAlert.kind, SecurityAlert.email).order_by(SecurityAlert.id)
    assert await resources.reader.all(kinds) == [
        ("passkey.added", ada.email),
        ("passkey.removed", ada.email),
    ]
