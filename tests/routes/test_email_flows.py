"""The emails of an account, from the sign-up to the deletion."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import httpx2
import pytest
from sqlalchemy import func, select, text, update

from app.core.resources import Resources
from app.core.worker.base_settings import WorkerSettings as BaseWorker
from app.models import ApiKey, EmailToken, MfaChallenge, User, UserSession
from app.schemas.jobs import DeleteExpired
from app.services.auth.mfa_challenges import MfaChallengeService
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
from tests.support.api_keys import create_api_key
from tests.support.authenticator import enroll_authenticator, read_secret
from tests.support.browser import error_code, open_browser
from tests.support.emails import LINK, Mailbox
from tests.support.oidc_provider import TestProvider
from tests.support.passwords import hash_password
from tests.support.service import serve, with_settings
from tests.support.workers import RunWorker

NEW = "a fresh battery"
FACTOR = f"{API}/users/me/second-factor"
VERIFY, RESET = f"{API}/verify-email/", f"{API}/reset-password/"


@pytest.fixture
def resources(committing_resources: Resources) -> Resources:
    """Resources whose commits the worker and its outbox relay can see."""
    return committing_resources


@pytest.fixture
async def newcomer(resources: Resources) -> Person:
    """A user who has not confirmed the address yet."""
    return await create_user(
        resources, password_hash=await hash_password(PASSWORD), confirmed=False
    )


@asynccontextmanager
async def verified_only(resources: Resources) -> AsyncIterator[httpx2.AsyncClient]:
    """Serve with the setting that only confirmed emails may log in."""
    strict = with_settings(resources, login_requires_verified_email=True)
    async with serve(strict) as client:
        yield client


async def verify(client: httpx2.AsyncClient, token: str) -> httpx2.Response:
    return await client.post(VERIFY, json={"token": token})


async def reset(client: httpx2.AsyncClient, token: str, password: str = NEW) -> httpx2.Response:
    return await client.post(RESET, json={"token": token, "new_password": password})


async def test_from_sign_up_to_a_changed_password(resources: Resources, mailbox: Mailbox) -> None:
    async with verified_only(resources) as client:
        assert (await client.post(SIGNUP, json=ADA)).status_code == 201
        token = await mailbox.token_for("verify-email")
        early = await log_in(client)
        assert early.status_code == 400
        assert early.json()["detail"].startswith("Email not verified")

        assert (await verify(client, token)).json() == {"message": "Email verified"}
        client.headers["X-Device-ID"] = "d" * 32
        sessions = [(await log_in(client)).json()["access_token"] for _ in range(2)]
        body = {"current_password": PASSWORD, "new_password": NEW}
        changed = await client.patch(
            f"{API}/users/me/password", json=body, headers=bearer(sessions[0])
        )
        assert changed.status_code == 200
        for session in sessions:
            me = await client.get(f"{API}/users/me", headers=bearer(session))
            assert me.status_code == 401

        assert await mailbox.subjects() == ["Your password was changed"]
        assert (await log_in(client, password=NEW)).status_code == 200


async def test_a_link_works_once(client: httpx2.AsyncClient, mailbox: Mailbox) -> None:
    await client.post(SIGNUP, json=ADA)
    token = await mailbox.token_for("verify-email")

    answers = [await verify(client, token) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 400]
    assert answers[1].json()["detail"] == "Invalid token"


async def test_an_expired_link_does_not_work(
    client: httpx2.AsyncClient, resources: Resources, mailbox: Mailbox, newcomer: Person
) -> None:
    await client.post(f"{API}/verify-email/{newcomer.email}")
    verification = await mailbox.token_for("verify-email")
    await client.post(f"{API}/password-recovery/{newcomer.email}")
    recovery = await mailbox.token_for("reset-password")
    async with open_anonymous_scope(resources) as scope:
        await scope.uow.session.execute(update(EmailToken).values(expires_at=func.now()))

    assert (await verify(client, verification)).status_code == 400
    assert (await reset(client, recovery)).status_code == 400


async def test_a_link_works_only_for_its_purpose(
    client: httpx2.AsyncClient, mailbox: Mailbox, newcomer: Person
) -> None:
    await client.post(f"{API}/verify-email/{newcomer.email}")
    verification = await mailbox.token_for("verify-email")
    await client.post(f"{API}/password-recovery/{newcomer.email}")
    recovery = await mailbox.token_for("reset-password")

    assert (await reset(client, verification)).status_code == 400
    assert (await verify(client, recovery)).status_code == 400
    for token in (verification, recovery):
        me = await client.get(f"{API}/users/me", headers=bearer(token))
        assert me.status_code == 401


async def test_a_new_link_replaces_the_one_before(
    client: httpx2.AsyncClient, mailbox: Mailbox, newcomer: Person
) -> None:
    tokens = []
    for _ in range(2):
        await client.post(f"{API}/verify-email/{newcomer.email}")
        tokens.append(await mailbox.token_for("verify-email"))

    assert [(await verify(client, token)).status_code for token in tokens] == [400, 200]


async def test_a_forgotten_password_is_reset_by_email_and_all_sessions_end(
    client: httpx2.AsyncClient, mailbox: Mailbox, ada: Person
) -> None:
    for _ in range(10):
        await log_in(client, password="wrong horse")
    asked = await client.post(f"{API}/password-recovery/{ada.email}")
    assert asked.json() == {
        "message": "If that email is registered, we sent a password recovery link"
    }
    token = await mailbox.token_for("reset-password")
    weak = await reset(client, token, "password1")
    assert (weak.status_code, weak.json()["errors"][0]["loc"]) == (422, ["body", "new_password"])

    answer = await reset(client, token)
    assert answer.json() == {"message": "Password updated successfully"}
    assert (await client.get(f"{API}/users/me", headers=ada.headers)).status_code == 401
    # After the reset, earlier guesses no longer keep the owner out.
    assert (await log_in(client, password=NEW)).status_code == 200
    assert (await reset(client, token)).json()["detail"] == "Invalid token"


async def test_an_unknown_email_gets_the_same_answer_and_no_email(
    client: httpx2.AsyncClient, mailbox: Mailbox, newcomer: Person
) -> None:
    for path in ("password-recovery", "verify-email"):
        known = await client.post(f"{API}/{path}/{newcomer.email}")
        await mailbox.receive()
        unknown = await client.post(f"{API}/{path}/nobody@example.com")
        assert (unknown.status_code, unknown.json()) == (known.status_code, known.json())
        assert await mailbox.receive() == []


async def test_a_new_user_is_invited_and_chooses_a_password(
    client: httpx2.AsyncClient, resources: Resources, mailbox: Mailbox
) -> None:
    root = await create_user(resources, "root", superuser=True)
    created = await client.post(f"{API}/users/", json=ADA, headers=root.headers)
    assert created.status_code == 201

    [email] = await mailbox.receive()
    assert email.text is not None
    assert PASSWORD not in email.text
    [(_, token)] = LINK.findall(email.text)
    assert (await reset(client, token)).status_code == 200
    async with verified_only(resources) as strict:
        assert (await log_in(strict, password=NEW)).status_code == 200


async def test_a_new_email_counts_once_it_is_confirmed_and_the_old_one_is_notified(
    client: httpx2.AsyncClient, mailbox: Mailbox, ada: Person
) -> None:
    data = {"email": "countess@example.com", "current_password": PASSWORD}
    answer = await client.patch(f"{API}/users/me", json=data, headers=ada.headers)
    assert (answer.status_code, answer.json()["email"]) == (200, ada.email)

    told = {email.to[0]: email for email in await mailbox.receive()}
    assert told[ada.email].subject == "A change of your email was requested"
    assert (await log_in(client, "countess@example.com")).status_code == 400
    [(_, token)] = LINK.findall(told["countess@example.com"].text or "")
    [(page, _)] = LINK.findall(told[ada.email].text or "")
    assert page == "report-takeover"

    assert (await verify(client, token)).status_code == 200
    assert (await log_in(client, "countess@example.com")).status_code == 200
    assert (await log_in(client, ada.email)).status_code == 400


@pytest.mark.parametrize("who", ["the user", "a superuser"])
async def test_links_to_the_old_email_stop_working_after_the_change(
    client: httpx2.AsyncClient, resources: Resources, mailbox: Mailbox, ada: Person, who: str
) -> None:
    await client.post(f"{API}/password-recovery/{ada.email}")
    recovery = await mailbox.token_for("reset-password")
    if who == "the user":
        data = {"email": "countess@example.com", "current_password": PASSWORD}
        await client.patch(f"{API}/users/me", json=data, headers=ada.headers)
    else:
        root = await create_user(resources, "root", superuser=True)
        body = {"email": "countess@example.com"}
        await client.patch(f"{API}/users/{ada.id}", json=body, headers=root.headers)
    token = await mailbox.token_for("verify-email", "countess@example.com")

    assert (await verify(client, token)).status_code == 200
    assert (await reset(client, recovery)).status_code == 400


async def test_a_wrong_password_changes_no_email(
    client: httpx2.AsyncClient, mailbox: Mailbox, ada: Person
) -> None:
    data = {"email": "countess@example.com", "current_password": "wrong horse"}
    answer = await client.patch(f"{API}/users/me", json=data, headers=ada.headers)

    assert (answer.status_code, answer.json()["detail"]) == (400, "Incorrect password")
    assert await mailbox.receive() == []


async def test_an_email_that_another_user_has_taken_since_is_a_conflict(
    client: httpx2.AsyncClient, resources: Resources, mailbox: Mailbox, ada: Person
) -> None:
    data = {"email": "bob@example.com", "current_password": PASSWORD}
    await client.patch(f"{API}/users/me", json=data, headers=ada.headers)
    token = await mailbox.token_for("verify-email", "bob@example.com")
    await create_user(resources, "bob")

    answer = await verify(client, token)
    assert (answer.status_code, answer.json()["detail"]) == (
        409,
        "User with this email already exists",
    )


async def test_a_name_is_changed_without_a_password(
    client: httpx2.AsyncClient, ada: Person
) -> None:
    data = {"full_name": "Countess", "email": ada.email}
    answer = await client.patch(f"{API}/users/me", json=data, headers=ada.headers)

    assert (answer.status_code, answer.json()["full_name"]) == (200, "Countess")


async def test_signing_up_with_a_taken_email_reveals_nothing_and_notifies_its_owner(
    resources: Resources, mailbox: Mailbox, ada: Person
) -> None:
    async with verified_only(resources) as client:
        taken = await client.post(SIGNUP, json=ADA)
        assert await mailbox.subjects() == ["You have an account"]
        free = await client.post(SIGNUP, json=ADA | {"email": "bob@example.com"})

    assert taken.status_code == free.status_code == 201
    assert taken.json().keys() == free.json().keys()
    assert taken.json()["id"] != str(ada.id)
    assert taken.headers.keys() == free.headers.keys()


async def test_a_superuser_previews_the_email_that_recovers_a_password(
    client: httpx2.AsyncClient, resources: Resources, ada: Person
) -> None:
    root = await create_user(resources, "root", superuser=True)
    path = f"{API}/password-recovery-html-content"
    answer = await client.post(f"{path}/{ada.email}", headers=root.headers)
    unknown = await client.post(f"{path}/nobody@example.com", headers=root.headers)

    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["subject"] == "Password recovery"
    [token] = re.findall(r"reset-password\?token=([\w-]{43})", answer.text)
    assert (await reset(client, token)).status_code == 200
    detail = "The user with this username does not exist in the system."
    assert (unknown.status_code, unknown.json()["detail"]) == (404, detail)


async def test_a_superuser_sends_a_test_email(
    client: httpx2.AsyncClient, resources: Resources, mailbox: Mailbox
) -> None:
    root = await create_user(resources, "root", superuser=True)
    answer = await client.post(
        f"{API}/utils/test-email/", params={"email_to": ADA["email"]}, headers=root.headers
    )

    assert (answer.status_code, answer.json()) == (201, {"message": "Test email sent"})
    assert await mailbox.subjects() == ["Test email"]


async def test_links_lead_to_the_public_url_whatever_the_host_header_says(
    client: httpx2.AsyncClient, mailbox: Mailbox, ada: Person
) -> None:
    await client.post(f"{API}/password-recovery/{ada.email}", headers={"Host": "evil.example.com"})

    [email] = await mailbox.receive()
    assert "evil" not in f"{email.text}{email.html}"


async def test_a_deleted_user_gets_no_email_but_the_one_about_the_deletion(
    client: httpx2.AsyncClient, mailbox: Mailbox, resources: Resources, ada: Person
) -> None:
    root = await create_user(resources, "root", superuser=True)
    data = {"email": "countess@example.com", "current_password": PASSWORD}
    await client.patch(f"{API}/users/me", json=data, headers=ada.headers)
    await client.post(f"{API}/password-recovery/{ada.email}")
    await client.delete(f"{API}/users/{ada.id}", headers=root.headers)

    assert await mailbox.subjects() == ["Your account was deleted"]
    assert await mailbox.receive() == []


async def test_the_owner_is_notified_of_every_change_of_the_second_factor(
    client: httpx2.AsyncClient, mailbox: Mailbox, ada: Person
) -> None:
    proof = {"current_password": PASSWORD}
    begun = await client.post(FACTOR, json=proof, headers=ada.headers)
    code = {"code": read_secret(begun.json()["secret"]).code()}
    confirmed = await client.post(f"{FACTOR}/confirm", json=code, headers=ada.headers)
    [email] = await mailbox.receive()
    assert (email.to, email.subject) == ([ada.email], "Your second factor was set up")
    assert email.text is not None
    assert "Your second factor was set up." in email.text
    assert "This wasn't me: https://service.example.com/report-takeover?token=" in email.text

    token = (await log_in(client)).json()["second_factor"]["token"]
    [used, *_] = confirmed.json()["recovery_codes"]
    await client.post(f"{API}/login/second-factor", json={"token": token, "code": used})
    assert await mailbox.subjects() == ["A recovery code was used"]
    await client.post(f"{FACTOR}/recovery-codes", json=proof, headers=ada.headers)
    assert await mailbox.subjects() == ["Your recovery codes were replaced"]
    await client.post(f"{FACTOR}/disable", json=proof, headers=ada.headers)
    assert await mailbox.subjects() == ["Your second factor was removed"]


async def test_a_password_reset_by_email_does_not_replace_the_second_factor(
    client: httpx2.AsyncClient, resources: Resources, mailbox: Mailbox, ada: Person
) -> None:
    await enroll_authenticator(resources, ada)
    await client.post(f"{API}/password-recovery/{ada.email}")
    await reset(client, await mailbox.token_for("reset-password"))

    assert (await log_in(client, password=NEW)).json()["detail"] == "Second factor required"


async def test_expired_sessions_and_links_are_deleted_every_night(
    client: httpx2.AsyncClient,
    resources: Resources,
    mailbox: Mailbox,
    newcomer: Person,
    run_worker: RunWorker,
) -> None:
    bob = await create_user(resources, "bob")
    await client.post(f"{API}/verify-email/{newcomer.email}")
    await mailbox.token_for("verify-email")
    async with open_anonymous_scope(resources) as scope:
        await scope.uow.session.execute(update(EmailToken).values(expires_at=func.now()))
        await MfaChallengeService(scope).issue(newcomer.id)
        await create_api_key(resources, newcomer, expired=True)
        await scope.uow.session.flush()
        await scope.uow.session.execute(update(MfaChallenge).values(expires_at=func.now()))
        ran_out = update(UserSession).where(UserSession.user_id == newcomer.id)
        await scope.uow.session.execute(ran_out.values(expires_at=func.now()))
        scope.uow.enqueue(DeleteExpired())
    await run_worker(BaseWorker)

    async with resources.unit_of_work() as uow:
        assert (await uow.session.scalars(select(UserSession.user_id))).all() == [bob.id]
        for table in (EmailToken, MfaChallenge, ApiKey):
            assert await uow.session.scalar(select(func.count()).select_from(table)) == 0


async def test_no_secret_is_stored_in_plain_text(
    client: httpx2.AsyncClient,
    resources: Resources,
    mailbox: Mailbox,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Send secrets in all requests that can contain one, and search all stored data."""
    caplog.set_level("DEBUG")
    caplog.set_level("INFO", logger="email.log")  # the email server that the tests run
    planted = [f"{word}-{uuid4().hex[:12]}" for word in ("first", "second", "third", "wrong")]
    first, second, third, wrong = planted
    await client.post(SIGNUP, json=ADA | {"password": first})
    planted.append(await mailbox.token_for("verify-email"))
    await verify(client, planted[-1])
    await log_in(client, password=wrong)
    tokens = (await log_in(client, password=first)).json()
    planted += [tokens["access_token"], tokens["refresh_token"]]
    refreshed = await client.post(
        f"{API}/login/refresh", json={"refresh_token": tokens["refresh_token"]}
    )
    planted += [refreshed.json()["access_token"], refreshed.json()["refresh_token"]]
    headers = bearer(refreshed.json()["access_token"])
    body = {"current_password": first, "new_password": second}
    await client.patch(f"{API}/users/me/password", json=body, headers=headers)
    await mailbox.receive()
    await client.post(f"{API}/password-recovery/{ADA['email']}")
    planted.append(await mailbox.token_for("reset-password"))
    await client.post(RESET, json={"token": planted[-1], "new_password": "short"})
    await reset(client, planted[-1], third)
    await client.post(RESET, json={"token": wrong, "new_password": [third]})
    planted += await secrets_of_a_second_factor_and_a_key(client, third)

    logged = capsys.readouterr().err + caplog.text
    assert "request.finished" in logged
    kept = logged + await everything_in_tables(resources) + await everything_in_redis(resources)
    assert len(planted) == 24
    assert [secret for secret in planted if secret in kept] == []
    assert ADA["email"] in kept  # the test has read the email


async def secrets_of_a_second_factor_and_a_key(
    client: httpx2.AsyncClient, password: str
) -> list[str]:
    """Set up a factor, log in with it, use an API key, and return all their secrets."""
    session = bearer((await log_in(client, password=password)).json()["access_token"])
    begun = await client.post(FACTOR, json={"current_password": password}, headers=session)
    secret = begun.json()["secret"]
    code = {"code": read_secret(secret).code()}
    confirmed = await client.post(f"{FACTOR}/confirm", json=code, headers=session)
    recovery_codes: list[str] = confirmed.json()["recovery_codes"]
    challenge = (await log_in(client, password=password)).json()["second_factor"]["token"]
    await client.post(
        f"{API}/login/second-factor", json={"token": challenge, "code": recovery_codes[0]}
    )
    raw = read_secret(secret).secret.hex()  # as PostgreSQL writes bytes
    data = {"name": "import", "scopes": ["jobs:read"], "current_password": password}
    created = await client.post(f"{API}/users/me/api-keys", json=data, headers=session)
    key = created.json()["key"]
    await client.get(f"{API}/users/me", headers=bearer(key))
    return [secret, raw, challenge, key, *recovery_codes[1:], recovery_codes[0].replace("-", "")]


async def everything_in_tables(resources: Resources) -> str:
    async with resources.unit_of_work() as uow:
        tables = await uow.session.scalars(
            text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        )
        rows = [
            row
            for table in tables.all()
            for row in await uow.session.scalars(text(f'SELECT t::text FROM "{table}" AS t'))  # noqa: S608
        ]
    return "\n".join(rows)


async def everything_in_redis(resources: Resources) -> str:
    found = []
    for queue in resources.queues:
        redis = resources.queues[queue]
        for key in await redis.keys("*"):
            found += [str(key), str(await redis.dump(key))]
    return "\n".join(found)


async def test_the_owner_is_notified_of_a_linked_identity(
    resources: Resources, mailbox: Mailbox, acme: TestProvider
) -> None:
    await create_user(resources)
    async with resources.unit_of_work() as uow:
        await uow.session.execute(update(User).values(email_verified_at=func.now()))
    async with open_browser(resources, acme=acme) as browser:
        assert error_code(await browser.log_in()) is None

    [email] = await mailbox.receive()
    assert (email.to, email.subject) == ([ADA["email"]], "Your account has a new login method")
    assert "log in to your account with acme" in (email.text or "")
    assert "https://service.example.com/report-takeover?token=" in (email.text or "")
