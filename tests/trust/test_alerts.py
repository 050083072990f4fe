"""Alerts inform the owner of suspicious changes, and their links undo the changes."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx2
from sqlalchemy import func, select, update

from app.core.queue import EMAIL
from app.core.resources import Resources
from app.core.security.tokens import hash_token
from app.models import (
    Alert,
    AuditEvent,
    Identity,
    KnownDevice,
    Role,
    SecurityAlert,
    TotpFactor,
    User,
)
from app.services.alerts import notify
from app.services.auth.devices import MAX_DEVICES
from app.services.emails.alerts import TEXTS
from dev.caught_email import CaughtEmail
from tests.support.accounts import ADA, API, PASSWORD, Person, log_in, open_anonymous_scope
from tests.support.emails import LINK, Mailbox
from tests.support.service import serve
from tests.trust.attacks import (
    ATTACKERS,
    ME,
    NEW,
    add_second_factor,
    create_key,
    credentials_of,
    log_in_as,
    report,
    request_email_change,
    reset,
    status_of,
    stored,
    verify,
)

SERVICE = "https://service.example.com"
DETAILS = {"provider": "acme", "role": "reader", "due": "24 December 2026"}
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0"


def report_token(emails: list[CaughtEmail], to: str = ADA["email"]) -> str:
    """Return the token of the link in the only alert among some emails to an address."""
    [token] = [
        token
        for email in emails
        if email.to == [to]
        for page, token in LINK.findall(email.text or "")
        if page == "report-takeover"
    ]
    return str(token)


async def alert_of(resources: Resources, mailbox: Mailbox, person: Person, kind: Alert) -> str:
    """Send an alert, and return the token of its link."""
    async with open_anonymous_scope(resources) as scope:
        user = await scope.uow.session.get_one(User, person.id)
        await notify(scope, user, kind, dict(DETAILS))
    return report_token(await mailbox.receive(), person.email)


async def test_a_login_from_another_device_causes_an_alert_but_the_first_does_not(
    resources: Resources, mailbox: Mailbox, ada: Person
) -> None:
    async with serve(resources, SERVICE) as home:
        assert (await log_in(home)).status_code == 200
        assert (await log_in(home)).status_code == 200
        assert await mailbox.receive() == []
    async with serve(resources, SERVICE, address="203.0.113.9") as elsewhere:
        elsewhere.headers["user-agent"] = FIREFOX
        await log_in(elsewhere)

    [email] = await mailbox.receive()
    assert (email.to, email.subject) == ([ada.email], "New login to your account")
    assert "From: Firefox on Linux, 203.0.113.9" in (email.text or "")
    assert "203.0.113.9" in (email.html or "")


async def log_in_from_app(resources: Resources, device: str, password: str = PASSWORD) -> None:
    """Log in like an app, which has no cookies."""
    async with serve(resources) as client:
        client.headers["X-Device-ID"] = device
        assert (await log_in(client, password=password)).status_code == 200


async def test_after_a_new_password_a_login_from_the_device_of_a_thief_causes_an_alert_again(
    client: httpx2.AsyncClient, resources: Resources, mailbox: Mailbox, ada: Person
) -> None:
    owners, thiefs = "o" * 32, "t" * 32
    await log_in_from_app(resources, owners)
    await log_in_from_app(resources, thiefs)
    assert await mailbox.subjects() == ["New login to your account"]
    client.headers["X-Device-ID"] = owners
    session = await log_in_as(client, ada.email, PASSWORD)
    body = {"current_password": PASSWORD, "new_password": NEW}
    assert (await client.patch(f"{ME}/password", json=body, headers=session)).status_code == 200
    async with resources.unit_of_work() as uow:
        earlier = SecurityAlert.created_at - timedelta(minutes=61)
        await uow.session.execute(update(SecurityAlert).values(created_at=earlier))
    await mailbox.receive()

    await log_in_from_app(resources, owners, NEW)
    assert await mailbox.receive() == []
    await log_in_from_app(resources, thiefs, NEW)
    assert await mailbox.subjects() == ["New login to your account"]


async def test_an_app_names_its_device_in_a_header(
    resources: Resources, mailbox: Mailbox, ada: Person
) -> None:
    for _ in range(2):
        await log_in_from_app(resources, "x" * 32)
    assert await mailbox.receive() == []

    await log_in_from_app(resources, "too short to be secret")
    assert [(email.to, email.subject) for email in await mailbox.receive()] == [
        ([ada.email], "New login to your account")
    ]


async def test_with_too_many_devices_the_least_recently_seen_one_is_forgotten(
    resources: Resources, ada: Person
) -> None:
    names = [f"device {number}".ljust(32) for number in range(MAX_DEVICES)]
    async with resources.unit_of_work() as uow:
        uow.session.add_all(
            KnownDevice(
                user_id=ada.id,
                token_hash=hash_token(name),
                last_seen_at=datetime.now(UTC) - timedelta(days=number),
            )
            for number, name in enumerate(names)
        )
    await log_in_from_app(resources, names[-1])
    assert await devices(resources) == {hash_token(name) for name in names}

    await log_in_from_app(resources, new := "another device".ljust(32))

    assert await devices(resources) == {hash_token(name) for name in [*names, new]} - {
        hash_token(names[-2])
    }


async def devices(resources: Resources) -> set[bytes]:
    async with resources.unit_of_work() as uow:
        return {*await uow.session.scalars(select(KnownDevice.token_hash))}


async def test_a_page_of_another_site_cannot_give_a_browser_a_device_cookie(
    resources: Resources, ada: Person
) -> None:
    assert ada.email == ADA["email"]
    async with serve(resources, SERVICE) as browser:
        browser.headers["Origin"] = "https://evil.example.net"
        answer = await log_in(browser)

    assert "set-cookie" not in answer.headers


async def test_an_alert_of_one_kind_is_sent_once_per_hour(
    client: httpx2.AsyncClient, resources: Resources, mailbox: Mailbox, ada: Person
) -> None:
    await asyncio.gather(*(create_key(client, ada.headers) for _ in range(5)))
    assert await mailbox.subjects() == ["Your account has a new API key"]
    async with resources.unit_of_work() as uow:
        earlier = SecurityAlert.created_at - timedelta(minutes=61)
        await uow.session.execute(update(SecurityAlert).values(created_at=earlier))
    await create_key(client, ada.headers)

    assert len(await mailbox.receive()) == 1
    async with resources.unit_of_work() as uow:
        events = select(func.count()).where(AuditEvent.event == "api_key.created")
        assert await uow.session.scalar(events) == 6


async def test_every_alert_says_what_happened_when_and_from_where(
    resources: Resources, mailbox: Mailbox, ada: Person
) -> None:
    async with open_anonymous_scope(resources) as scope:
        user = await scope.uow.session.get_one(User, ada.id)
        for kind in Alert:
            await notify(scope, user, kind, dict(DETAILS))
    emails = await mailbox.receive()
    async with resources.unit_of_work() as uow:
        recorded = select(AuditEvent.event).where(AuditEvent.user_id == ada.id)
        assert {*await uow.session.scalars(recorded)} == {*Alert}

    assert len({report_token([email]) for email in emails}) == len(Alert)
    assert TEXTS.keys() == set(Alert)


async def test_an_alert_contains_no_text_of_a_stranger(
    resources: Resources, mailbox: Mailbox, ada: Person
) -> None:
    async with serve(resources, SERVICE) as home:
        await log_in(home)
    async with serve(resources, SERVICE) as attacker:
        attacker.headers["user-agent"] = "Call us: https://evil.example.net"
        session = await log_in_as(attacker, ada.email, PASSWORD)
        data = {"name": "https://evil.example.net", "scopes": ["jobs:read"]}
        proof = {"current_password": PASSWORD}
        await attacker.post(f"{ME}/api-keys", json=data | proof, headers=session)

    emails = await mailbox.receive()
    assert len(emails) == 2
    assert [email for email in emails if "evil" in f"{email.text}{email.html}"] == []


async def test_the_link_ends_sessions_keys_and_pending_changes_and_starts_a_recovery(
    client: httpx2.AsyncClient, mailbox: Mailbox, ada: Person
) -> None:
    session = await log_in_as(client, ada.email, PASSWORD)
    key = {"Authorization": f"Bearer {(await create_key(client, session)).json()['key']}"}
    token = report_token(await mailbox.receive())
    await request_email_change(client, session)
    change = await mailbox.token_for("verify-email", ATTACKERS)
    answer = await report(client, token)

    assert answer.json()["message"].startswith("Everyone is logged out.")
    assert await status_of(client, session) == 401
    assert await status_of(client, key, f"{API}/jobs/{ada.id}") == 401
    assert (await verify(client, change)).status_code == 400
    assert (await log_in(client)).status_code == 400  # because the attacker may know the password
    recovery = await mailbox.token_for("reset-password")
    assert (await reset(client, recovery)).status_code == 200
    assert (await log_in(client, password=NEW)).status_code == 200
    assert (await report(client, token)).status_code == 400  # because the link works once


async def test_two_reports_at_the_same_moment_count_once(
    client: httpx2.AsyncClient, resources: Resources, mailbox: Mailbox, ada: Person
) -> None:
    token = await alert_of(resources, mailbox, ada, Alert.NEW_DEVICE)
    answers = await asyncio.gather(*(report(client, token) for _ in range(4)))

    assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400]


async def test_the_link_expires_after_seven_days(
    client: httpx2.AsyncClient, resources: Resources, mailbox: Mailbox, ada: Person
) -> None:
    token = await alert_of(resources, mailbox, ada, Alert.NEW_DEVICE)
    async with resources.unit_of_work() as uow:
        [alert] = await uow.session.scalars(select(SecurityAlert))
        assert timedelta(days=6.9) < alert.expires_at - alert.created_at < timedelta(days=7.1)
        await uow.session.execute(update(SecurityAlert).values(expires_at=func.now()))

    assert (await report(client, token)).status_code == 400


async def test_the_link_removes_a_factor_that_the_attacker_added(
    client: httpx2.AsyncClient, resources: Resources, mailbox: Mailbox, ada: Person
) -> None:
    assert (await add_second_factor(client, ada.headers)).status_code == 200
    token = report_token(await mailbox.receive())
    await report(client, token)
    await reset(client, await mailbox.token_for("reset-password"))

    assert await credentials_of(resources, ada) == []
    assert (await log_in(client, password=NEW)).status_code == 200


async def test_the_link_keeps_what_the_owner_had_before(
    client: httpx2.AsyncClient, resources: Resources, mailbox: Mailbox, ada: Person
) -> None:
    await add_second_factor(client, ada.headers)
    await mailbox.receive()
    async with resources.unit_of_work() as uow:
        uow.session.add(Identity(user_id=ada.id, provider="acme", subject="1", email=ada.email))
        await uow.session.flush()
        earlier = func.now() - timedelta(hours=1)
        await uow.session.execute(update(Identity).values(created_at=earlier))
        await uow.session.execute(update(TotpFactor).values(confirmed_at=earlier))
    await report(client, await alert_of(resources, mailbox, ada, Alert.NEW_DEVICE))

    assert await credentials_of(resources, ada) == ["totp_factors", "identities"]


async def change_email(client: httpx2.AsyncClient, mailbox: Mailbox, person: Person) -> None:
    """Change the address to the attacker's, with a stolen session and password."""
    await request_email_change(client, person.headers)
    token = await mailbox.token_for("verify-email", ATTACKERS)
    assert (await verify(client, token)).status_code == 200


async def test_the_link_restores_an_address_that_the_attacker_changed(
    client: httpx2.AsyncClient, resources: Resources, mailbox: Mailbox, ada: Person
) -> None:
    await change_email(client, mailbox, ada)
    [email] = [email for email in await mailbox.receive() if email.to == [ada.email]]
    assert email.subject == "Your email was changed"
    assert (await report(client, report_token([email]))).status_code == 200

    assert (await stored(resources, ada)).email == ada.email
    recovery = await mailbox.token_for("reset-password")
    assert (await reset(client, recovery)).status_code == 200
    assert (await log_in(client, password=NEW)).status_code == 200


async def test_an_attacker_cannot_use_the_link_of_a_later_alert_against_the_owner(
    client: httpx2.AsyncClient, resources: Resources, mailbox: Mailbox, ada: Person
) -> None:
    """The attacker changes the address, causes an alert to it, and uses its link first."""
    await change_email(client, mailbox, ada)
    owners = report_token(await mailbox.receive())
    later = await alert_of(resources, mailbox, replace(ada, email=ATTACKERS), Alert.NEW_DEVICE)
    assert (await report(client, later)).status_code == 200
    assert (await report(client, owners)).status_code == 200

    assert (await stored(resources, ada)).email == ada.email
    assert (await report(client, later)).status_code == 400


async def test_an_attacker_cannot_keep_the_address_by_signing_up_with_it_again(
    client: httpx2.AsyncClient, resources: Resources, mailbox: Mailbox, ada: Person
) -> None:
    await change_email(client, mailbox, ada)
    token = report_token(await mailbox.receive())
    await client.post(f"{API}/users/signup", json=ADA)

    assert (await report(client, token)).status_code == 200
    assert (await stored(resources, ada)).email == ada.email


async def test_a_superuser_whose_address_was_never_confirmed_takes_the_account_back(
    client: httpx2.AsyncClient, resources: Resources, mailbox: Mailbox, ada: Person
) -> None:
    """An administrator has created the account, and the link goes to its unconfirmed address."""
    async with resources.unit_of_work() as uow:
        unconfirmed = {"is_superuser": True, "email_verified_at": None}
        await uow.session.execute(update(User).values(unconfirmed))
    token = await alert_of(resources, mailbox, ada, Alert.NEW_DEVICE)
    assert (await report(client, token)).status_code == 200

    assert await status_of(client, ada.headers) == 401
    assert (await log_in(client)).status_code == 400
    recovery = await mailbox.token_for("reset-password")
    assert (await reset(client, recovery)).status_code == 200
    user = await stored(resources, ada)
    assert (user.is_superuser, user.email_verified_at is not None) == (True, True)


async def test_a_report_never_deletes_a_superuser_who_has_the_address_now(
    client: httpx2.AsyncClient, resources: Resources, mailbox: Mailbox, ada: Person
) -> None:
    """Even an unconfirmed superuser, who may be the last one."""
    await change_email(client, mailbox, ada)
    token = report_token(await mailbox.receive())
    await client.post(f"{API}/users/signup", json=ADA)
    async with resources.unit_of_work() as uow:
        promoted = update(User).where(User.email == ADA["email"]).values(is_superuser=True)
        await uow.session.execute(promoted)

    assert (await report(client, token)).status_code == 409
    assert (await log_in(client)).status_code == 200
    assert (await stored(resources, ada)).email == ATTACKERS


async def test_a_former_owner_cannot_take_back_what_an_administrator_gave_away(
    client: httpx2.AsyncClient, resources: Resources, mailbox: Mailbox, ada: Person, root: Person
) -> None:
    earlier = await alert_of(resources, mailbox, ada, Alert.NEW_DEVICE)
    body = {"email": "successor@example.com"}
    await client.patch(f"{API}/users/{ada.id}", json=body, headers=root.headers)

    [email] = [email for email in await mailbox.receive() if email.to == [ada.email]]
    assert email.subject == "Your email was changed"
    assert LINK.findall(email.text or "") == []
    assert (await report(client, earlier)).status_code == 400


async def test_the_owner_hears_of_a_new_role_once(
    client: httpx2.AsyncClient, resources: Resources, mailbox: Mailbox, ada: Person, root: Person
) -> None:
    async with resources.unit_of_work() as uow:
        uow.session.add(role := Role(name="reader", permissions=[]))
    for _ in range(2):
        await client.put(f"{API}/users/{ada.id}/roles/{role.id}", headers=root.headers)

    [email] = await mailbox.receive()
    assert (email.to, email.subject) == ([ada.email], "Your account has a new role")


async def test_the_owner_hears_of_a_refresh_token_that_was_used_twice(
    client: httpx2.AsyncClient, mailbox: Mailbox, ada: Person
) -> None:
    strict = {"refresh_token": ada.refresh_token}
    first = await client.post(f"{API}/login/refresh", json=strict)
    await client.post(f"{API}/login/refresh", json={"refresh_token": first.json()["refresh_token"]})
    await client.post(f"{API}/login/refresh", json=strict)

    assert await mailbox.subjects() == ["A session of your account has ended"]


async def test_no_token_of_an_alert_is_in_a_job(
    client: httpx2.AsyncClient, resources: Resources, ada: Person
) -> None:
    await create_key(client, ada.headers)

    [job] = await resources.queues[EMAIL].queued_jobs()
    assert job.args[0].keys() == {"alert_id"}
