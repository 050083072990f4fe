"""A password reset removes everything that an attacker has prepared."""

from dataclasses import replace
from datetime import timedelta

import httpx2
import pytest
from sqlalchemy import func, select, update

from app.core.queue import EMAIL
from app.core.resources import Resources
from app.models import Identity, Purpose, RecoveryCode, TotpFactor
from app.schemas.jobs import SendEmailChange, SendNewAccount, SendWelcomeEmail
from app.services.auth.email_token_service import EmailTokenService
from app.services.emails.composer import compose
from app.services.emails.draft import NothingToSend
from tests.support.accounts import (
    ADA,
    API,
    PASSWORD,
    SIGNUP,
    Person,
    bearer,
    create_user,
    log_in,
    open_anonymous_scope,
)
from tests.support.browser import Browser, error_code, open_browser, with_front_end
from tests.support.emails import Mailbox
from tests.support.oidc_provider import run_provider
from tests.support.passkeys import passkey_of
from tests.support.passwords import hash_password
from tests.trust.attacks import (
    ATTACKERS,
    NEW,
    add_second_factor,
    create_key,
    credentials_of,
    log_in_as,
    plant_credentials,
    request_email_change,
    request_recovery,
    reset,
    status_of,
    stored,
    verify,
)

REFUSAL = "Confirm your email address first: follow the link that we sent you."


async def test_an_attacker_cannot_prepare_an_account_with_an_address_of_someone_else(
    client: httpx2.AsyncClient,
) -> None:
    await client.post(SIGNUP, json=ADA)
    session = await log_in_as(client, ADA["email"], PASSWORD)
    attempts = [
        await create_key(client, session),
        await add_second_factor(client, session),
        await request_email_change(client, session),
    ]

    assert [(answer.status_code, answer.json()["detail"]) for answer in attempts] == [
        (400, REFUSAL)
    ] * 3


@pytest.mark.parametrize("how", ["confirmation", "reset"])
async def test_the_first_confirmation_of_an_address_drops_what_was_set_up_before(
    client: httpx2.AsyncClient, resources: Resources, mailbox: Mailbox, how: str
) -> None:
    victim = await create_user(
        resources, password_hash=await hash_password(PASSWORD), confirmed=False
    )
    await plant_credentials(resources, victim)
    if how == "reset":
        await request_recovery(client)
        token = await mailbox.token_for("reset-password", victim.email)
        answer = await reset(client, token)
    else:
        await client.post(f"{API}/verify-email/{victim.email}")
        answer = await verify(client, await mailbox.token_for("verify-email", victim.email))

    assert answer.status_code == 200
    assert await credentials_of(resources, victim) == []


async def test_the_owner_of_a_confirmed_address_keeps_factors_and_identities_after_a_reset(
    client: httpx2.AsyncClient, resources: Resources, mailbox: Mailbox, ada: Person
) -> None:
    await plant_credentials(resources, ada)
    await request_recovery(client)
    await reset(client, await mailbox.token_for("reset-password"))

    assert await credentials_of(resources, ada) == ["totp_factors", "identities"]


async def reset_by(
    how: str, client: httpx2.AsyncClient, mailbox: Mailbox, ada: Person, root: Person
) -> None:
    if how == "the owner":
        await request_recovery(client)
        token = await mailbox.token_for("reset-password")
        assert (await reset(client, token)).status_code == 200
        return
    path, body = f"{API}/users/{ada.id}", {"password": NEW}
    assert (await client.patch(path, json=body, headers=root.headers)).status_code == 200


@pytest.mark.parametrize("how", ["the owner", "an administrator"])
async def test_a_reset_ends_sessions_keys_and_pending_changes(  # noqa: PLR0913, PLR0917
    client: httpx2.AsyncClient,
    resources: Resources,
    mailbox: Mailbox,
    ada: Person,
    root: Person,
    how: str,
) -> None:
    session = await log_in_as(client, ada.email, PASSWORD)
    key = bearer((await create_key(client, session)).json()["key"])
    await request_email_change(client, session)
    change = await mailbox.token_for("verify-email", ATTACKERS)
    await reset_by(how, client, mailbox, ada, root)

    assert await status_of(client, session) == 401
    assert await status_of(client, key, f"{API}/jobs/{ada.id}") == 401
    assert (await verify(client, change)).status_code == 400
    assert (await stored(resources, ada)).new_email is None
    assert (await log_in(client, ada.email, PASSWORD)).status_code == 400
    assert (await log_in(client, ada.email, NEW)).status_code == 200


async def test_a_reset_by_an_administrator_makes_earlier_links_invalid_and_notifies_the_owner(
    client: httpx2.AsyncClient, mailbox: Mailbox, ada: Person, root: Person
) -> None:
    await request_recovery(client)
    earlier = await mailbox.token_for("reset-password")
    await client.patch(f"{API}/users/{ada.id}", json={"password": NEW}, headers=root.headers)

    assert (await reset(client, earlier)).status_code == 400
    [email] = await mailbox.receive()
    assert (email.to, email.subject) == ([ada.email], "Your password was changed")


async def test_a_job_that_is_tried_again_after_the_reset_sends_no_new_link(
    client: httpx2.AsyncClient, resources: Resources, mailbox: Mailbox, ada: Person
) -> None:
    """The email server rejects the attacker's email temporarily, and meanwhile the owner resets."""
    await request_email_change(client, ada.headers)
    [job] = [
        job
        for job in await resources.queues[EMAIL].queued_jobs()
        if job.function == "SendEmailChange"
    ]
    await request_recovery(client)
    await reset(client, await mailbox.token_for("reset-password"))

    async with open_anonymous_scope(resources) as scope:
        with pytest.raises(NothingToSend):
            await compose(scope, SendEmailChange.model_validate(job.args[0]))


@pytest.mark.parametrize("kind", [SendWelcomeEmail, SendNewAccount, SendEmailChange])
async def test_a_link_is_invalid_once_the_address_has_changed(
    resources: Resources,
    kind: type[SendWelcomeEmail | SendNewAccount | SendEmailChange],
) -> None:
    ada = await create_user(resources, confirmed=False)
    async with open_anonymous_scope(resources) as scope:
        with pytest.raises(NothingToSend):
            await compose(scope, kind(user_id=ada.id, email="earlier@example.com"))


@pytest.mark.parametrize("change", [{"is_active": False}, {"email": "other@example.com"}])
async def test_access_that_an_administrator_removes_does_not_come_back(  # noqa: PLR0913, PLR0917
    client: httpx2.AsyncClient,
    resources: Resources,
    mailbox: Mailbox,
    ada: Person,
    root: Person,
    change: dict[str, object],
) -> None:
    """An administrator deactivates an account or changes its address, and then changes it back."""
    session = await log_in_as(client, ada.email, PASSWORD)
    key = bearer((await create_key(client, session)).json()["key"])
    await request_email_change(client, session)
    token = await mailbox.token_for("verify-email", ATTACKERS)
    path = f"{API}/users/{ada.id}"
    await client.patch(path, json=change, headers=root.headers)
    before = {"is_active": True, "email": ada.email}
    assert (await client.patch(path, json=before, headers=root.headers)).status_code == 200

    assert await status_of(client, session) == 401
    assert await status_of(client, key, f"{API}/jobs/{ada.id}") == 401
    assert (await verify(client, token)).status_code == 400
    assert (await stored(resources, ada)).email == ada.email


async def test_a_link_that_resets_the_password_is_for_the_address_it_was_sent_to(
    client: httpx2.AsyncClient, resources: Resources
) -> None:
    ada = await create_user(resources, password_hash=await hash_password(PASSWORD))
    async with open_anonymous_scope(resources) as scope:
        token = await EmailTokenService(scope).issue(
            ada.id, Purpose.RESET_PASSWORD, email="earlier@example.com", lifetime=60
        )

    assert (await reset(client, token)).status_code == 400
    assert (await log_in(client, ada.email)).status_code == 200


WEEK = timedelta(days=7, minutes=1)


async def reset_by_email(
    client: httpx2.AsyncClient, mailbox: Mailbox, *, remove_recent: bool
) -> None:
    await request_recovery(client)
    token = await mailbox.token_for("reset-password")
    body = {"token": token, "new_password": NEW, "remove_recent": remove_recent}
    assert (await client.post(f"{API}/reset-password/", json=body)).status_code == 200


@pytest.mark.parametrize("remove_recent", [True, False])
async def test_the_owner_removes_the_factor_with_which_an_attacker_locked_the_account(
    client: httpx2.AsyncClient,
    resources: Resources,
    mailbox: Mailbox,
    ada: Person,
    remove_recent: bool,
) -> None:
    """An attacker with the password adds an app, a passkey, and an identity."""
    session = await log_in_as(client, ada.email, PASSWORD)
    assert (await add_second_factor(client, session)).status_code == 200
    async with resources.unit_of_work() as uow:
        identity = Identity(user_id=ada.id, provider="acme", subject=ATTACKERS, email=ATTACKERS)
        uow.session.add_all([passkey_of(ada.id), identity])
    await mailbox.receive()
    await reset_by_email(client, mailbox, remove_recent=remove_recent)

    left = [] if remove_recent else ["totp_factors", "identities"]
    assert await credentials_of(resources, ada) == left
    statuses = {True: 200, False: 400}
    assert (await log_in(client, ada.email, NEW)).status_code == statuses[remove_recent]
    counted = select(func.count()).select_from(RecoveryCode)
    assert await resources.reader.scalar(counted) == (0 if remove_recent else 10)


async def test_a_thief_of_the_mailbox_cannot_remove_an_old_factor_of_the_owner(
    client: httpx2.AsyncClient, resources: Resources, mailbox: Mailbox, ada: Person
) -> None:
    """The alert about the factor has expired, so no email can remove the factor."""
    assert (await add_second_factor(client, ada.headers)).status_code == 200
    async with resources.unit_of_work() as uow:
        for column in (TotpFactor.confirmed_at, RecoveryCode.created_at):
            await uow.session.execute(update(column.class_).values({column: column - WEEK}))
    await mailbox.receive()
    await reset_by_email(client, mailbox, remove_recent=True)

    assert await credentials_of(resources, ada) == ["totp_factors"]
    assert (await log_in(client, ada.email, NEW)).json()["detail"] == "Second factor required"


@pytest.mark.parametrize("attackers", [True, False])
async def test_after_a_reset_a_provider_opens_the_account_only_by_its_address(
    resources: Resources, mailbox: Mailbox, ada: Person, attackers: bool
) -> None:
    """An attacker with a stolen session linked an account of their own, long ago."""
    with run_provider() as acme:
        acme.person["email"] = ATTACKERS if attackers else ada.email
        async with open_browser(with_front_end(resources), acme=acme) as browser:
            assert error_code(await link(browser, ada)) is None
            assert error_code(await browser.log_in()) is None
            await mailbox.receive()
            await reset_by_email(browser.service, mailbox, remove_recent=False)

            expected = "password_needed" if attackers else None
            assert error_code(await browser.log_in()) == expected


async def test_after_a_reset_the_owner_links_a_provider_with_another_address_again(
    resources: Resources, mailbox: Mailbox, ada: Person
) -> None:
    with run_provider() as acme:
        acme.person["email"] = "countess@example.org"
        async with open_browser(with_front_end(resources), acme=acme) as browser:
            await link(browser, ada)
            await mailbox.receive()
            await reset_by_email(browser.service, mailbox, remove_recent=False)
            session = await log_in(browser.service, ada.email, NEW)
            owner = replace(ada, access_token=session.json()["access_token"])
            assert error_code(await link(browser, owner, NEW)) is None

            assert error_code(await browser.log_in()) is None


async def link(browser: Browser, person: Person, password: str = PASSWORD) -> httpx2.Response:
    body = {"current_password": password, "path": "/settings"}
    path = f"{API}/users/me/identities/acme"
    begun = await browser.service.post(path, json=body, headers=person.headers)
    url = await browser.at_provider(begun.json()["authorization_url"])
    return await browser.service.get(url)
