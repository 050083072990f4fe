"""The life of an account, through the mails that it brings."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import httpx2
import pytest
from sqlalchemy import func, select, text, update

from app.core.resources import Resources
from app.core.worker.base_settings import WorkerSettings as BaseWorker
from app.core.worker.email_settings import WorkerSettings as EmailWorker
from app.dev.mail import Mail
from app.dev.mail_catcher import MailCatcher
from app.models import ApiKey, LoginChallenge, MailedToken, User, UserSession
from app.schemas.jobs import DeleteExpired
from app.services.login_challenges import LoginChallenges
from tests.accounts import ADA, API, PASSWORD, SIGNUP, Person, bearer, log_in, someone
from tests.api_keys import an_api_key
from tests.authenticator import read_secret, set_up_app
from tests.browser import browsing, error_of
from tests.conftest import WorkOff, serve, with_settings
from tests.oidc_provider import TestProvider

NEW = "a fresh battery"
FACTOR = f"{API}/users/me/second-factor"
VERIFY, RESET = f"{API}/verify-email/", f"{API}/reset-password/"
LINK = re.compile(r"https://service\.example\.com/([\w-]+)\?token=([\w-]{43})\s")


@pytest.fixture
def resources(committing: Resources) -> Resources:
    """Commits that the worker and its sweeper see on connections of their own."""
    return committing


class Post:
    """Has the mails sent that wait, and reads them."""

    def __init__(self, work_off: WorkOff, mails: MailCatcher) -> None:
        self._work_off = work_off
        self._mails = mails

    async def next(self) -> Mail:
        await self._work_off(EmailWorker)
        return await self._mails.anext()

    async def token(self, page: str, to: str = ADA["email"]) -> str:
        """Return the token of the link in the next mail, which leads to a page of ours."""
        mail = await self.next()
        assert mail.to == [to]
        assert mail.text is not None
        assert mail.html is not None
        [(found, token)] = LINK.findall(mail.text)
        assert found == page
        assert f"https://service.example.com/{page}?token={token}" in mail.html
        return str(token)

    async def is_empty(self) -> bool:
        before = len(self._mails.messages())
        await self._work_off(EmailWorker)
        return len(self._mails.messages()) == before


@pytest.fixture
def post(work_off: WorkOff, mails: MailCatcher) -> Post:
    return Post(work_off, mails)


@asynccontextmanager
async def verified_only(resources: Resources) -> AsyncIterator[httpx2.AsyncClient]:
    """Serve where only a confirmed address may log in."""
    strict = with_settings(resources, login_requires_verified_email=True)
    async with serve(strict) as client:
        yield client


async def verify(client: httpx2.AsyncClient, token: str) -> httpx2.Response:
    return await client.post(VERIFY, json={"token": token})


async def reset(client: httpx2.AsyncClient, token: str, password: str = NEW) -> httpx2.Response:
    return await client.post(RESET, json={"token": token, "new_password": password})


async def test_from_sign_up_to_a_changed_password(resources: Resources, post: Post) -> None:
    async with verified_only(resources) as client:
        assert (await client.post(SIGNUP, json=ADA)).status_code == 201
        token = await post.token("verify-email")
        early = await log_in(client)
        assert early.status_code == 400
        assert early.json()["detail"].startswith("Email not verified")

        assert (await verify(client, token)).json() == {"message": "Email verified"}
        sessions = [(await log_in(client)).json()["access_token"] for _ in range(2)]
        body = {"current_password": PASSWORD, "new_password": NEW}
        changed = await client.patch(
            f"{API}/users/me/password", json=body, headers=bearer(sessions[0])
        )
        assert changed.status_code == 200
        for session in sessions:
            me = await client.get(f"{API}/users/me", headers=bearer(session))
            assert me.status_code == 401

        assert (await post.next()).subject == "Your password was changed"
        assert (await log_in(client, password=NEW)).status_code == 200


async def test_a_link_is_good_once(client: httpx2.AsyncClient, post: Post) -> None:
    await client.post(SIGNUP, json=ADA)
    token = await post.token("verify-email")

    answers = [await verify(client, token) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 400]
    assert answers[1].json()["detail"] == "Invalid token"


async def test_a_link_that_is_too_old_is_good_for_nothing(
    client: httpx2.AsyncClient, resources: Resources, post: Post, ada: Person
) -> None:
    await client.post(f"{API}/verify-email/{ada.email}")
    verification = await post.token("verify-email")
    await client.post(f"{API}/password-recovery/{ada.email}")
    recovery = await post.token("reset-password")
    async with resources.unit_of_work() as uow:
        await uow.session.execute(update(MailedToken).values(expires_at=func.now()))

    assert (await verify(client, verification)).status_code == 400
    assert (await reset(client, recovery)).status_code == 400


async def test_a_link_is_good_for_its_purpose_only(
    client: httpx2.AsyncClient, post: Post, ada: Person
) -> None:
    await client.post(f"{API}/verify-email/{ada.email}")
    verification = await post.token("verify-email")
    await client.post(f"{API}/password-recovery/{ada.email}")
    recovery = await post.token("reset-password")

    assert (await reset(client, verification)).status_code == 400
    assert (await verify(client, recovery)).status_code == 400
    for token in (verification, recovery):
        me = await client.get(f"{API}/users/me", headers=bearer(token))
        assert me.status_code == 401


async def test_a_new_link_takes_the_place_of_the_one_before(
    client: httpx2.AsyncClient, post: Post, ada: Person
) -> None:
    tokens = []
    for _ in range(2):
        await client.post(f"{API}/verify-email/{ada.email}")
        tokens.append(await post.token("verify-email"))

    assert [(await verify(client, token)).status_code for token in tokens] == [400, 200]


async def test_a_forgotten_password_is_reset_by_mail_and_all_sessions_end(
    client: httpx2.AsyncClient, post: Post, ada: Person
) -> None:
    for _ in range(10):
        await log_in(client, password="wrong horse")
    asked = await client.post(f"{API}/password-recovery/{ada.email}")
    assert asked.json() == {
        "message": "If that email is registered, we sent a password recovery link"
    }
    token = await post.token("reset-password")
    weak = await reset(client, token, "password1")
    assert (weak.status_code, weak.json()["errors"][0]["loc"]) == (422, ["body", "new_password"])

    answer = await reset(client, token)
    assert answer.json() == {"message": "Password updated successfully"}
    assert (await client.get(f"{API}/users/me", headers=ada.headers)).status_code == 401
    # The owner has shown up: what others guessed does not keep them out.
    assert (await log_in(client, password=NEW)).status_code == 200
    assert (await reset(client, token)).json()["detail"] == "Invalid token"


async def test_an_unknown_address_is_answered_alike_and_gets_no_mail(
    client: httpx2.AsyncClient, post: Post, ada: Person
) -> None:
    for path in ("password-recovery", "verify-email"):
        known = await client.post(f"{API}/{path}/{ada.email}")
        await post.next()
        unknown = await client.post(f"{API}/{path}/nobody@example.com")
        assert (unknown.status_code, unknown.json()) == (known.status_code, known.json())
        assert await post.is_empty()


async def test_a_new_user_is_invited_and_chooses_a_password(
    client: httpx2.AsyncClient, resources: Resources, post: Post
) -> None:
    root = await someone(resources, "root", superuser=True)
    created = await client.post(f"{API}/users/", json=ADA, headers=root.headers)
    assert created.status_code == 201

    mail = await post.next()
    assert mail.text is not None
    assert PASSWORD not in mail.text
    [(_, token)] = LINK.findall(mail.text)
    assert (await reset(client, token)).status_code == 200
    async with verified_only(resources) as strict:
        assert (await log_in(strict, password=NEW)).status_code == 200


async def test_a_new_address_counts_once_it_is_confirmed_and_the_old_one_is_told(
    client: httpx2.AsyncClient, post: Post, mails: MailCatcher, ada: Person
) -> None:
    wish = {"email": "countess@example.com", "current_password": PASSWORD}
    answer = await client.patch(f"{API}/users/me", json=wish, headers=ada.headers)
    assert (answer.status_code, answer.json()["email"]) == (200, ada.email)

    told = {mail.to[0]: mail for mail in (await post.next(), await mails.anext())}
    assert told[ada.email].subject == "Your email is to change"
    assert (await log_in(client, "countess@example.com")).status_code == 400
    text_of_new = told["countess@example.com"].text
    assert text_of_new is not None
    [(_, token)] = LINK.findall(text_of_new)
    assert LINK.findall(told[ada.email].text or "") == []

    assert (await verify(client, token)).status_code == 200
    assert (await log_in(client, "countess@example.com")).status_code == 200
    assert (await log_in(client, ada.email)).status_code == 400


@pytest.mark.parametrize("who", ["the user", "a superuser"])
async def test_what_was_sent_to_an_old_address_is_good_for_nothing_after_the_change(
    client: httpx2.AsyncClient, resources: Resources, post: Post, ada: Person, who: str
) -> None:
    await client.post(f"{API}/password-recovery/{ada.email}")
    recovery = await post.token("reset-password")
    if who == "the user":
        wish = {"email": "countess@example.com", "current_password": PASSWORD}
        await client.patch(f"{API}/users/me", json=wish, headers=ada.headers)
        mails = [await post.next(), await post.next()]
        [token] = [t for mail in mails for _, t in LINK.findall(mail.text or "")]
    else:
        root = await someone(resources, "root", superuser=True)
        body = {"email": "countess@example.com"}
        await client.patch(f"{API}/users/{ada.id}", json=body, headers=root.headers)
        token = await post.token("verify-email", "countess@example.com")

    assert (await verify(client, token)).status_code == 200
    assert (await reset(client, recovery)).status_code == 400


@pytest.mark.parametrize("password", [None, "wrong horse"])
async def test_a_new_address_needs_the_password(
    client: httpx2.AsyncClient, post: Post, ada: Person, password: str | None
) -> None:
    wish = {"email": "countess@example.com", "current_password": password}
    answer = await client.patch(f"{API}/users/me", json=wish, headers=ada.headers)

    assert (answer.status_code, answer.json()["detail"]) == (400, "Incorrect password")
    assert await post.is_empty()


async def test_a_new_address_that_is_somebody_elses_is_a_conflict(
    client: httpx2.AsyncClient, resources: Resources, post: Post, ada: Person
) -> None:
    wish = {"email": "bob@example.com", "current_password": PASSWORD}
    await client.patch(f"{API}/users/me", json=wish, headers=ada.headers)
    mails = [await post.next(), await post.next()]
    [token] = [t for mail in mails for _, t in LINK.findall(mail.text or "")]
    await someone(resources, "bob")

    late = await verify(client, token)
    early = await client.patch(f"{API}/users/me", json=wish, headers=ada.headers)
    for answer in (late, early):
        assert (answer.status_code, answer.json()["detail"]) == (
            409,
            "User with this email already exists",
        )


async def test_a_name_is_changed_without_a_password(
    client: httpx2.AsyncClient, ada: Person
) -> None:
    wish = {"full_name": "Countess", "email": ada.email}
    answer = await client.patch(f"{API}/users/me", json=wish, headers=ada.headers)

    assert (answer.status_code, answer.json()["full_name"]) == (200, "Countess")


async def test_who_signs_up_with_a_taken_address_learns_nothing_and_its_owner_a_mail(
    resources: Resources, post: Post, ada: Person
) -> None:
    async with verified_only(resources) as client:
        taken = await client.post(SIGNUP, json=ADA)
        assert (await post.next()).subject == "You have an account"
        free = await client.post(SIGNUP, json=ADA | {"email": "bob@example.com"})

    assert taken.status_code == free.status_code == 201
    assert taken.json().keys() == free.json().keys()
    assert taken.json()["id"] != str(ada.id)
    assert taken.headers.keys() == free.headers.keys()


async def test_a_superuser_reads_the_mail_that_recovers_a_password(
    client: httpx2.AsyncClient, resources: Resources, ada: Person
) -> None:
    root = await someone(resources, "root", superuser=True)
    path = f"{API}/password-recovery-html-content"
    answer = await client.post(f"{path}/{ada.email}", headers=root.headers)
    unknown = await client.post(f"{path}/nobody@example.com", headers=root.headers)

    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["subject"] == "Password recovery"
    [token] = re.findall(r"reset-password\?token=([\w-]{43})", answer.text)
    assert (await reset(client, token)).status_code == 200
    detail = "The user with this username does not exist in the system."
    assert (unknown.status_code, unknown.json()["detail"]) == (404, detail)


async def test_a_superuser_sees_whether_mails_leave(
    client: httpx2.AsyncClient, resources: Resources, post: Post
) -> None:
    root = await someone(resources, "root", superuser=True)
    answer = await client.post(
        f"{API}/utils/test-email/", params={"email_to": ADA["email"]}, headers=root.headers
    )

    assert (answer.status_code, answer.json()) == (201, {"message": "Test email sent"})
    assert (await post.next()).subject == "Test email"


async def test_links_lead_to_the_public_url_whatever_the_host_header_says(
    client: httpx2.AsyncClient, post: Post, ada: Person
) -> None:
    await client.post(f"{API}/password-recovery/{ada.email}", headers={"Host": "evil.example.com"})

    mail = await post.next()
    assert "evil" not in f"{mail.text}{mail.html}"


async def test_a_mail_to_somebody_who_is_gone_is_not_sent(
    client: httpx2.AsyncClient, post: Post, ada: Person
) -> None:
    wish = {"email": "countess@example.com", "current_password": PASSWORD}
    await client.patch(f"{API}/users/me", json=wish, headers=ada.headers)
    await client.post(f"{API}/password-recovery/{ada.email}")
    await client.delete(f"{API}/users/me", headers=ada.headers)

    assert await post.is_empty()


async def test_the_owner_hears_of_every_change_of_the_second_factor(
    client: httpx2.AsyncClient, post: Post, ada: Person
) -> None:
    proof = {"current_password": PASSWORD}
    begun = await client.post(FACTOR, json=proof, headers=ada.headers)
    code = {"code": read_secret(begun.json()["secret"]).code()}
    confirmed = await client.post(f"{FACTOR}/confirm", json=code, headers=ada.headers)
    mail = await post.next()
    assert (mail.to, mail.subject) == ([ada.email], "Your second factor was set up")
    assert mail.text is not None
    assert "your second factor was set up. It was not me: https://service.ex" in mail.text

    token = (await log_in(client)).json()["second_factor"]["token"]
    [used, *_] = confirmed.json()["recovery_codes"]
    await client.post(f"{API}/login/second-factor", json={"token": token, "code": used})
    assert (await post.next()).subject == "A recovery code was used"
    await client.post(f"{FACTOR}/recovery-codes", json=proof, headers=ada.headers)
    assert (await post.next()).subject == "Your recovery codes were replaced"
    await client.post(f"{FACTOR}/disable", json=proof, headers=ada.headers)
    assert (await post.next()).subject == "Your second factor was removed"


async def test_a_new_password_by_mail_does_not_do_without_the_second_factor(
    client: httpx2.AsyncClient, resources: Resources, post: Post, ada: Person
) -> None:
    await set_up_app(resources, ada)
    await client.post(f"{API}/password-recovery/{ada.email}")
    await reset(client, await post.token("reset-password"))

    assert (await log_in(client, password=NEW)).json()["detail"] == "Second factor required"


async def test_sessions_and_links_that_have_run_out_are_deleted_every_night(
    client: httpx2.AsyncClient, resources: Resources, post: Post, ada: Person, work_off: WorkOff
) -> None:
    bob = await someone(resources, "bob")
    await client.post(f"{API}/verify-email/{ada.email}")
    await post.token("verify-email")
    async with resources.unit_of_work() as uow:
        await uow.session.execute(update(MailedToken).values(expires_at=func.now()))
        await LoginChallenges(uow).mint(ada.id)
        await an_api_key(resources, ada, expired=True)
        await uow.session.flush()
        await uow.session.execute(update(LoginChallenge).values(expires_at=func.now()))
        ran_out = update(UserSession).where(UserSession.user_id == ada.id)
        await uow.session.execute(ran_out.values(expires_at=func.now()))
        uow.enqueue(DeleteExpired())
    await work_off(BaseWorker)

    async with resources.unit_of_work() as uow:
        assert (await uow.session.scalars(select(UserSession.user_id))).all() == [bob.id]
        for table in (MailedToken, LoginChallenge, ApiKey):
            assert await uow.session.scalar(select(func.count()).select_from(table)) == 0


async def test_no_secret_is_found_in_clear(
    client: httpx2.AsyncClient,
    resources: Resources,
    post: Post,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Plant secrets on every way that they come in, and look for them wherever something stays."""
    caplog.set_level("DEBUG")
    caplog.set_level("INFO", logger="mail.log")  # the mail server that the tests run
    planted = [f"{word}-{uuid4().hex[:12]}" for word in ("first", "second", "third", "wrong")]
    first, second, third, wrong = planted
    await client.post(SIGNUP, json=ADA | {"password": first})
    planted.append(await post.token("verify-email"))
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
    await post.next()
    await client.post(f"{API}/password-recovery/{ADA['email']}")
    planted.append(await post.token("reset-password"))
    await client.post(RESET, json={"token": planted[-1], "new_password": "short"})
    await reset(client, planted[-1], third)
    await client.post(RESET, json={"token": wrong, "new_password": [third]})
    planted += await secrets_of_a_second_factor_and_a_key(client, third)

    kept = (
        caplog.text + await everything_in_tables(resources) + await everything_in_redis(resources)
    )
    assert len(planted) == 24
    assert [secret for secret in planted if secret in kept] == []
    assert ADA["email"] in kept  # it has looked


async def secrets_of_a_second_factor_and_a_key(
    client: httpx2.AsyncClient, password: str
) -> list[str]:
    """Set a factor up, log in with it, use an API key; return all that is secret of them."""
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
    wish = {"name": "import", "scopes": ["jobs:read"], "current_password": password}
    created = await client.post(f"{API}/users/me/api-keys", json=wish, headers=session)
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


async def test_who_gets_a_further_way_in_is_told(
    resources: Resources, post: Post, acme: TestProvider
) -> None:
    await someone(resources)
    async with resources.unit_of_work() as uow:
        await uow.session.execute(update(User).values(email_verified_at=func.now()))
    async with browsing(resources, acme=acme) as browser:
        assert error_of(await browser.log_in()) is None

    mail = await post.next()
    assert (mail.to, mail.subject) == ([ADA["email"]], "Your account has a new way in")
    assert "with acme from now on" in (mail.text or "")
    assert "https://service.example.com/recover-password" in (mail.text or "")
