import pytest
from pydantic import HttpUrl
from sqlalchemy import select

from app.core.resources import Resources
from app.models import SecurityAlert
from app.routes.pages.cookies import SESSION
from tests.pages.conftest import log_in
from tests.support.accounts import API, PASSWORD, Person, bearer, create_user
from tests.support.authenticator import enroll_authenticator
from tests.support.page_browser import PageBrowser
from tests.support.passwords import hash_password
from tests.support.service import serve, with_settings


async def test_a_wrong_password_is_reported_and_the_typed_email_stays(
    visitor: PageBrowser, ada: Person
) -> None:
    await visitor.open("/login")
    page = await visitor.submit("Log in", email=ada.email, password="wrong horse")

    assert (page.status, page.alert) == (400, "Incorrect email or password.")
    assert page.form("Log in").fields == {"email": ada.email, "password": ""}
    assert (await visitor.open("/account")).path == "/login"


async def test_the_login_leads_to_the_page_that_was_asked_for(
    visitor: PageBrowser, ada: Person
) -> None:
    asked = await visitor.open("/account/password")
    assert (asked.path, asked.alert) == ("/login", "Log in to continue.")

    page = await visitor.submit("Log in", email=ada.email, password=PASSWORD)
    assert page.path == "/account/password"


@pytest.mark.parametrize("path", ["//evil.example.com", "https://evil.example.com", "/\\evil"])
async def test_the_login_leads_to_no_other_site(visitor: PageBrowser, path: str) -> None:
    response = await visitor.client.post(
        "/login", params={"next": path}, data={"email": "a@example.com", "password": PASSWORD}
    )

    assert response.status_code == 422
    assert "location" not in response.headers


async def test_a_login_with_a_second_factor_takes_a_second_step(
    visitor: PageBrowser, resources: Resources, ada: Person
) -> None:
    app = await enroll_authenticator(resources, ada)
    await visitor.open("/account/sessions")
    step = await visitor.submit("Log in", email=ada.email, password=PASSWORD)
    assert step.title == "Enter your code"

    wrong = await visitor.submit("Log in", code=app.wrong_code)
    assert (wrong.status, wrong.error("code")) == (400, "Incorrect code.")

    page = await visitor.submit("Log in", code=app.code())
    assert page.path == "/account/sessions"


async def test_a_recovery_code_replaces_the_app_once(
    visitor: PageBrowser, resources: Resources, ada: Person
) -> None:
    app = await enroll_authenticator(resources, ada)
    code = app.recovery_codes[0]
    for expected in (200, 400):
        await visitor.open("/login")
        await visitor.submit("Log in", email=ada.email, password=PASSWORD)
        page = await visitor.submit("Log in", code=code)
        assert page.status == expected
        visitor.client.cookies.clear()


async def test_a_second_step_without_a_first_leads_to_the_login(visitor: PageBrowser) -> None:
    page = await visitor.open("/login/second-factor")

    assert (page.path, page.alert) == ("/login", "That took too long. Log in again.")


async def test_a_logged_in_user_is_not_asked_to_log_in(user: PageBrowser) -> None:
    assert (await user.open("/login")).path == "/account"
    assert (await user.open("/signup")).path == "/account"


async def test_too_many_wrong_passwords_are_answered_with_a_time_to_wait(
    visitor: PageBrowser, ada: Person
) -> None:
    await visitor.open("/login")
    for _ in range(11):
        page = await visitor.submit("Log in", email=ada.email, password="wrong horse")

    assert page.status == 429
    assert page.alert == "Too many attempts. Try again in 15 minutes."


async def test_the_cookie_of_a_session_cannot_be_read_by_scripts_or_set_by_other_hosts(
    visitor: PageBrowser, ada: Person
) -> None:
    answer = await visitor.client.post("/login", data={"email": ada.email, "password": PASSWORD})

    cookies = answer.headers.get_list("set-cookie")
    names = [cookie.partition("=")[0] for cookie in cookies]
    assert names == ["__Host-session", "__Host-device"]
    for cookie in cookies:
        attributes = cookie.split("; ")[1:]
        assert {"HttpOnly", "Secure", "Path=/", "SameSite=lax"} <= set(attributes)
        assert "Domain" not in cookie


async def test_without_https_as_in_development_the_cookie_works_in_every_browser(
    resources: Resources, ada: Person
) -> None:
    plain = with_settings(resources, public_url=HttpUrl("http://localhost:8000"))
    async with serve(plain, "http://localhost:8000") as client:
        visitor = PageBrowser(client)
        await log_in(visitor, ada)
        assert "session" in visitor.client.cookies


async def test_a_logout_ends_the_session_itself(user: PageBrowser) -> None:
    cookies = dict(user.client.cookies)
    await user.submit("Log out")
    user.client.cookies.update(cookies)

    assert (await user.open("/account")).path == "/login"


async def test_a_superuser_who_needs_a_second_factor_is_led_to_set_it_up(
    resources: Resources,
) -> None:
    strict = with_settings(resources, superusers_need_second_factor=True)
    root = await create_user(
        resources, "root", superuser=True, password_hash=await hash_password(PASSWORD)
    )
    async with serve(strict, "https://service.example.com") as client:
        visitor = PageBrowser(client)
        await visitor.open("/login")
        page = await visitor.submit("Log in", email=root.email, password=PASSWORD)
        assert page.path == "/account/second-factor"
        assert page.alert == "Set up a second factor first: your account needs one."

        assert (await visitor.open("/account/confirm")).path == "/account/confirm"
        assert (await visitor.open("/account/sessions")).path == "/account/second-factor"


async def test_a_thief_who_exchanges_the_cookie_of_a_page_ends_the_session(
    user: PageBrowser, resources: Resources, ada: Person
) -> None:
    """Pages never exchange their cookie, so only a thief would."""
    cookie = user.client.cookies[f"__Host-{SESSION}"]
    stolen = (
        await user.client.post(f"{API}/login/refresh", json={"refresh_token": cookie})
    ).json()["access_token"]
    me = f"{API}/users/me"
    assert (await user.client.get(me, headers=bearer(stolen))).status_code == 200

    assert (await user.open("/account")).path == "/login"
    assert (await user.client.get(me, headers=bearer(stolen))).status_code == 401
    alerts = select(SecurityAlert.kind).where(SecurityAlert.user_id == ada.id)
    assert await resources.reader.all(alerts) == [("refresh_token.reused",)]


async def test_after_a_logout_the_browser_forgets_the_session_and_the_pages(
    user: PageBrowser,
) -> None:
    answer = await user.client.post("/logout")

    assert answer.headers["clear-site-data"] == '"cache", "storage"'
    assert f'__Host-{SESSION}=""' in answer.headers["set-cookie"]
