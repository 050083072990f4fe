"""Users manage their accounts without JavaScript."""

import re

import pytest
from sqlalchemy import text

from app.core.resources import Resources
from app.core.worker.base_settings import WorkerSettings as BaseWorker
from app.models import Passkey
from app.services.auth.authentication import API_KEY_PREFIX
from tests.pages.conftest import log_in
from tests.support.accounts import API, PASSWORD, Person, allow, bearer, create_user
from tests.support.authenticator import enroll_authenticator, read_secret
from tests.support.emails import Mailbox
from tests.support.page_browser import PageBrowser
from tests.support.workers import RunWorker

NEW = "a fresh battery"


async def test_a_user_changes_the_name(user: PageBrowser) -> None:
    await user.follow("Change your name")
    page = await user.submit("Save", full_name="Countess of Lovelace")

    assert (page.path, page.alert) == ("/account", "Your name is saved.")
    assert "Countess of Lovelace" in page.text
    assert (await user.open("/account")).alert == ""


async def test_a_user_changes_the_address_with_the_link_that_is_sent_there(
    user: PageBrowser, mailbox: Mailbox
) -> None:
    await user.follow("Change your email")
    page = await user.submit("Send the link", email="countess@example.com")
    assert "Will change to countess@example.com" in page.text
    await user.open(await mailbox.link_to("verify-email", "countess@example.com"))
    page = await user.submit("Confirm my address")
    assert (page.path, page.alert) == ("/account", "Your email address is confirmed.")
    assert "countess@example.com confirmed" in " ".join(page.text.split())


async def test_a_user_changes_the_password_and_logs_in_with_it(
    user: PageBrowser, ada: Person
) -> None:
    await user.open("/account/password")
    same = await user.submit("Change password", current_password=PASSWORD, new_password=PASSWORD)
    assert same.error("new_password").startswith("New password cannot be the same")

    page = await user.submit("Change password", current_password=PASSWORD, new_password=NEW)
    assert page.path == "/login"
    await log_in(user, ada, NEW)


async def test_a_forgotten_password_is_recovered_with_the_link_of_an_email(
    visitor: PageBrowser, mailbox: Mailbox, ada: Person
) -> None:
    await visitor.open("/login")
    await visitor.follow("Forgot your password?")
    sent = await visitor.submit("Send the link", email=ada.email)
    assert sent.title == "Check your email"

    link = await mailbox.link_to("reset-password")
    await visitor.open(link)
    weak = await visitor.submit("Set password", new_password="password1")
    assert weak.error("new_password") == "Password is too common."

    page = await visitor.submit("Set password", new_password=NEW)
    assert (page.path, page.alert) == ("/login", "Your password is set. Log in with it.")
    await log_in(visitor, ada, NEW)
    assert (await visitor.open(link)).title == "This link no longer works"


async def test_an_invited_user_chooses_a_password(
    visitor: PageBrowser, mailbox: Mailbox, resources: Resources
) -> None:
    root = await create_user(resources, "root", superuser=True)
    bob = {"email": "bob@example.com", "password": PASSWORD}
    await visitor.client.post(f"{API}/users/", json=bob, headers=root.headers)

    await visitor.open(await mailbox.link_to("reset-password", bob["email"]))
    await visitor.submit("Set password", new_password=NEW)
    page = await visitor.submit("Log in", email="bob@example.com", password=NEW)
    assert page.path == "/account"


async def test_opening_the_page_of_a_link_does_not_use_the_link_up(
    visitor: PageBrowser, mailbox: Mailbox
) -> None:
    """Some mail servers open the links in emails to check them."""
    await visitor.open("/signup")
    await visitor.submit("Create account", email="ada@example.com", password=PASSWORD)
    link = await mailbox.link_to("verify-email")
    for _ in range(2):
        assert (await visitor.open(link)).title == "Confirm your address"

    await visitor.submit("Confirm my address")
    assert (await visitor.open(link)).title == "This link no longer works"


async def test_the_link_that_confirms_an_address_is_sent_again(
    visitor: PageBrowser, mailbox: Mailbox, resources: Resources
) -> None:
    bob = await create_user(resources, "bob", confirmed=False)
    await visitor.open("/verify-email/again")
    assert (await visitor.submit("Send the link", email=bob.email)).status == 200

    await visitor.open(await mailbox.link_to("verify-email", bob.email))
    assert (await visitor.submit("Confirm my address")).path == "/login"


async def test_a_user_sets_up_an_app_and_gets_recovery_codes(user: PageBrowser) -> None:
    await user.open("/account/second-factor")
    page = await user.submit("Set up an app")
    assert 'src="data:image/svg+xml' in page.response.text
    [secret] = re.findall(r"\b[A-Z2-7]{32}\b", page.text)
    app = read_secret(secret)

    wrong = await user.submit("Turn it on", code=app.wrong_code)
    assert wrong.error("code") == "Incorrect code."
    assert secret in wrong.text

    page = await user.submit("Turn it on", code=app.code())
    codes = re.findall(r"\b(?:[A-Z2-9]{5}-){3}[A-Z2-9]{5}\b", page.text)
    assert (page.title, len(codes)) == ("Recovery codes", 10)
    assert codes[0] in (await user.open("/account/second-factor/recovery-codes")).text
    assert "10 left" in (await user.follow("I have saved them")).text


async def test_a_user_replaces_recovery_codes_and_removes_the_second_factor(
    user: PageBrowser,
) -> None:
    await user.open("/account/second-factor")
    page = await user.submit("Set up an app")
    [secret] = re.findall(r"\b[A-Z2-7]{32}\b", page.text)
    await user.submit("Turn it on", code=read_secret(secret).code())
    for cookie in [*user.client.cookies.jar]:
        if cookie.name == "__Host-recovery_codes":
            user.client.cookies.jar.clear(cookie.domain, cookie.path, cookie.name)

    await user.open("/account/second-factor/recovery-codes")
    page = await user.submit("Create new codes")
    assert len(re.findall(r"\b(?:[A-Z2-9]{5}-){3}[A-Z2-9]{5}\b", page.text)) == 10

    await user.open("/account/second-factor")
    await user.follow("Remove the second factor")
    page = await user.submit("Remove it")
    assert page.alert == "Your second factor is removed."
    assert "Set up an app" in [form.button for form in page.forms]


async def test_a_user_ends_the_session_of_another_device(visitor: PageBrowser, ada: Person) -> None:
    await log_in(visitor, ada)
    page = await visitor.open("/account/sessions")
    assert "tests" in page.text
    [end] = [form.button for form in page.forms if form.button.startswith("End")]

    page = await visitor.submit(end)
    assert page.alert == "That session has ended."
    me = await visitor.client.get(f"{API}/users/me", headers=ada.headers)
    assert me.status_code == 401


async def test_a_user_logs_out_on_all_devices(visitor: PageBrowser, ada: Person) -> None:
    await log_in(visitor, ada)
    await visitor.open("/account/sessions")
    page = await visitor.submit("Log out everywhere")

    assert (page.path, page.alert) == ("/login", "You are logged out on all devices.")
    me = await visitor.client.get(f"{API}/users/me", headers=ada.headers)
    assert me.status_code == 401


@pytest.mark.parametrize("path", ["/account/password", "/account/confirm"])
async def test_a_password_manager_knows_whose_password_is_asked_for(
    user: PageBrowser, ada: Person, path: str
) -> None:
    page = await user.open(path)
    assert f'autocomplete="username" value="{ada.email}" hidden' in page.response.text


async def test_a_user_without_permissions_has_no_use_for_a_key(user: PageBrowser) -> None:
    page = await user.open("/account/api-keys/new")
    assert "your account has none yet" in page.text
    assert "Create key" not in page.text


async def test_a_user_creates_and_revokes_an_api_key(
    user: PageBrowser, ada: Person, resources: Resources
) -> None:
    await allow(resources, ada, "reports:read")
    page = await user.open("/account/api-keys")
    assert "You have no keys yet." in page.text
    page = await user.follow("Create a key")
    assert ("reports:read" in page.text, "jobs:manage" in page.text) == (True, False)
    none = await user.submit("Create key", name="nightly import")
    assert "Choose at least one." in none.text

    page = await user.submit("Create key", scopes=["reports:read"])
    [key] = re.findall(rf"\b{API_KEY_PREFIX}[\w-]+", page.text)
    reports = f"{API}/reports/signups"
    as_program = await user.client.get(reports, headers=bearer(key))
    assert as_program.status_code != 401

    page = await user.follow("I have copied it")
    assert "nightly import" in page.text
    assert key not in page.text
    page = await user.submit("Revoke nightly import")
    assert page.alert == "That key no longer works."
    as_program = await user.client.get(reports, headers=bearer(key))
    assert as_program.status_code == 401


async def test_a_user_deletes_the_account(user: PageBrowser) -> None:
    await user.open("/account/delete")
    page = await user.submit("Delete my account")
    assert (page.path, page.alert) == ("/", "You are logged out, and your account will be deleted.")
    assert (await user.open("/account")).path == "/login"


async def test_a_page_explains_that_a_thing_no_longer_exists(
    visitor: PageBrowser, ada: Person
) -> None:
    await log_in(visitor, ada)
    page = await visitor.open("/account/sessions")
    [form] = [form for form in page.forms if form.button.startswith("End")]
    await visitor.submit(form.button)

    again = await visitor.client.post(form.action)
    assert (again.status_code, "Session not found" in again.text) == (404, True)


async def test_a_change_of_address_is_withdrawn(user: PageBrowser, ada: Person) -> None:
    await user.open("/account/email")
    await user.submit("Send the link", email="countess@example.com")
    page = await user.submit(f"Keep {ada.email}")

    assert page.alert == "Your address stays as it is."
    assert "countess" not in page.text


async def test_the_owner_takes_the_account_back_with_the_link_of_an_alert(
    user: PageBrowser, mailbox: Mailbox, ada: Person
) -> None:
    """In this test, an attacker in a stolen session requests another address."""
    await user.open("/account/email")
    await user.submit("Send the link", email="eve@example.com")

    stolen = dict(user.client.cookies)
    user.client.cookies.clear()
    await user.open(await mailbox.link_to("report-takeover"))
    page = await user.submit("This wasn’t me")  # noqa: RUF001  as it is printed
    assert page.title == "Your account is safe"
    await user.open(await mailbox.link_to("reset-password"))
    await user.submit("Set password", new_password=NEW)
    await log_in(user, ada, NEW)
    assert "eve@example.com" not in user.page.text

    user.client.cookies.clear()
    user.client.cookies.update(stolen)
    assert (await user.open("/account")).path == "/login"


async def test_a_user_asks_for_a_copy_of_the_data_and_gets_its_link_by_email(
    user: PageBrowser, run_worker: RunWorker, mailbox: Mailbox
) -> None:
    await user.open("/account")
    await user.follow("Your data")
    page = await user.submit("Create a copy")
    assert page.alert.startswith("We are collecting your data, and will email you a link to it.")
    assert "We are collecting your data." in page.text

    await run_worker(BaseWorker)
    page = await user.open("/account/export")
    assert "ready" in page.text
    assert "Create a new copy" in page.text
    copy = await user.client.get(await mailbox.link_to("api/v1/personal-data"))
    assert "ada@example.com" in copy.text


async def test_a_user_renames_a_passkey(
    user: PageBrowser, resources: Resources, ada: Person
) -> None:
    async with resources.unit_of_work() as uow:
        uow.session.add(
            Passkey(
                user_id=ada.id,
                name="phone",
                credential_id=b"credential",
                public_key=b"key",
                sign_count=0,
                transports=[],
                is_backup_eligible=False,
                is_backed_up=False,
            )
        )
    await user.open("/account/passkeys")
    await user.follow("Rename phone")
    assert (await user.submit("Save", name="")).error("name") == "Fill in this field."
    page = await user.submit("Save", name="old phone")

    assert (page.path, page.alert) == ("/account/passkeys", "Your passkey has its new name.")
    assert "Rename old phone" in page.links


async def test_a_visit_extends_the_session_and_its_cookie(
    user: PageBrowser, resources: Resources
) -> None:
    seen = text("SELECT last_seen_at > now() - interval '1 minute' FROM sessions ORDER BY id DESC")
    async with resources.unit_of_work() as uow:
        await uow.session.execute(
            text("UPDATE sessions SET last_seen_at = now() - interval '6 days'")
        )
    page = await user.open("/account")
    again = await user.open("/account")

    async with resources.unit_of_work() as uow:
        assert await uow.session.scalar(seen)
    assert "session=" in page.response.headers["set-cookie"]
    assert "set-cookie" not in again.response.headers


async def test_the_owner_removes_what_an_attacker_added_while_choosing_a_new_password(
    visitor: PageBrowser, resources: Resources, mailbox: Mailbox, ada: Person
) -> None:
    await enroll_authenticator(resources, ada)
    await visitor.open("/recover-password")
    await visitor.submit("Send the link", email=ada.email)
    page = await visitor.open(await mailbox.link_to("reset-password"))
    assert "Authenticator app, " in page.text
    await visitor.submit("Set password", new_password=NEW, remove_recent="true")

    await log_in(visitor, ada, NEW)
    assert (await visitor.open("/account")).path == "/account"
