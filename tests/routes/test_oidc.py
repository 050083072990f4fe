"""Logins with an OpenID Connect provider, and the resulting accounts."""

from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc.jwk import OKPKey
from sqlalchemy import select, update

from app.core.resources import Resources
from app.core.security.throttle import open_throttle
from app.models import AuditEvent, Identity, User
from tests.support.accounts import API, create_user
from tests.support.authenticator import enroll_authenticator
from tests.support.browser import SERVICE, Browser, error_code, open_browser
from tests.support.limits import limits
from tests.support.oidc_provider import TestProvider
from tests.support.ports import resetting_server, silent_server
from tests.support.service import with_settings


async def verify(resources: Resources, **changes: object) -> None:
    """Confirm the email of every user, and make further changes to them."""
    async with resources.unit_of_work() as uow:
        await uow.session.execute(update(User).values(email_verified_at=User.created_at, **changes))


async def events(resources: Resources) -> list[str]:
    async with resources.unit_of_work() as uow:
        found = await uow.session.scalars(select(AuditEvent.event).order_by(AuditEvent.id))
        return list(found)


async def identities(resources: Resources) -> int:
    async with resources.unit_of_work() as uow:
        return len((await uow.session.scalars(select(Identity))).all())


async def test_a_first_login_with_a_provider_creates_an_account_without_a_password(
    browser: Browser, resources: Resources
) -> None:
    answer = await browser.log_in()

    assert (answer.status_code, answer.headers["location"]) == (303, f"{SERVICE}/")
    me = await browser.me()
    assert (me["email"], me["full_name"]) == ("ada@example.com", "Ada Lovelace")
    async with resources.unit_of_work() as uow:
        user = await uow.session.scalar(select(User))
    assert user is not None
    assert (user.password_hash, user.is_superuser) == (None, False)
    assert user.email_verified_at is not None
    assert await events(resources) == ["user.signed_up", "identity.linked", "login.succeeded"]


async def test_a_later_login_finds_the_same_user_whatever_the_email_is_now(
    browser: Browser, acme: TestProvider
) -> None:
    await browser.log_in()
    first = await browser.me()
    acme.person |= {"email": "lovelace@example.com", "email_verified": False}
    assert error_code(await browser.log_in()) is None

    assert await browser.me() == first


async def test_an_account_with_the_same_verified_email_is_linked(
    browser: Browser, resources: Resources, acme: TestProvider
) -> None:
    ada = await create_user(resources)
    await verify(resources)
    acme.person["email"] = "ADA@example.com"
    assert error_code(await browser.log_in()) is None

    assert (await browser.me())["id"] == str(ada.id)


async def test_a_second_factor_is_required_after_a_provider_too(
    browser: Browser, resources: Resources
) -> None:
    ada = await create_user(resources)
    await verify(resources)
    app = await enroll_authenticator(resources, ada)

    answer = await browser.log_in()

    page, _, token = answer.headers["location"].partition("#second_factor_token=")
    assert (page, await browser.access_token()) == (f"{SERVICE}/", None)
    second = {"token": token, "code": app.code()}
    entry = await browser.service.post(f"{API}/login/second-factor", json=second)
    assert entry.status_code == 200
    assert "access_token" in entry.json()


async def test_an_account_that_never_confirmed_its_email_is_not_linked(
    browser: Browser, resources: Resources
) -> None:
    await create_user(resources, confirmed=False)
    answer = await browser.log_in()

    assert error_code(answer) == "account_not_verified"
    [sentence] = parse_qs(urlsplit(answer.headers["location"]).query)["error_description"]
    assert "Log in with its password and follow the link that we sent you" in sentence
    assert await browser.access_token() is None
    assert await identities(resources) == 0


@pytest.mark.parametrize("word", [False, None, "false", "yes", 1, ["true"]])
async def test_an_email_that_the_provider_does_not_vouch_for_opens_no_account(
    browser: Browser, resources: Resources, acme: TestProvider, word: object
) -> None:
    await create_user(resources)
    await verify(resources)
    acme.person["email_verified"] = word

    assert error_code(await browser.log_in()) == "address_not_verified"
    assert await browser.access_token() is None
    assert await identities(resources) == 0


@pytest.mark.parametrize("email", [None, 7, "no address", "a\x00@example.com"])
async def test_without_a_usable_email_no_account_is_created(
    browser: Browser, acme: TestProvider, email: object
) -> None:
    acme.person["email"] = email

    assert error_code(await browser.log_in()) == "address_not_verified"


async def test_a_verified_claim_that_is_sent_as_text_counts(
    browser: Browser, acme: TestProvider
) -> None:
    acme.person["email_verified"] = "true"

    assert error_code(await browser.log_in()) is None


async def test_a_name_that_cannot_be_stored_is_left_out(
    browser: Browser, acme: TestProvider
) -> None:
    acme.person["name"] = "A\x00da"
    await browser.log_in()

    assert (await browser.me())["full_name"] is None


async def test_an_email_from_userinfo_counts_as_well(browser: Browser, acme: TestProvider) -> None:
    acme.userinfo = dict(acme.person)
    acme.person = {"sub": acme.person["sub"]}
    await browser.log_in()

    assert (await browser.me())["email"] == "ada@example.com"


async def test_userinfo_about_another_subject_is_refused(
    browser: Browser, acme: TestProvider
) -> None:
    acme.userinfo = acme.person | {"sub": "another"}
    acme.person = {"sub": acme.person["sub"]}

    assert error_code(await browser.log_in()) == "invalid_answer"


async def test_a_disabled_user_is_refused_before_and_after_linking(
    browser: Browser, resources: Resources
) -> None:
    await create_user(resources)
    await verify(resources, is_active=False)
    assert error_code(await browser.log_in()) == "inactive_user"
    assert await identities(resources) == 0

    await verify(resources, is_active=True)
    assert error_code(await browser.log_in()) is None
    await verify(resources, is_active=False)
    assert error_code(await browser.log_in()) == "inactive_user"
    assert await browser.access_token() is None


async def test_the_providers_are_listed(browser: Browser) -> None:
    answer = await browser.service.get(f"{API}/login/oidc")

    assert answer.json() == [{"name": "acme", "login_url": f"{SERVICE}{API}/login/oidc/acme"}]


@pytest.mark.parametrize("path", ["other", "other/callback"])
async def test_an_unknown_provider_is_not_found(browser: Browser, path: str) -> None:
    answer = await browser.service.get(f"{API}/login/oidc/{path}")

    assert answer.status_code in {404, 303}
    assert "set-cookie" not in answer.headers


async def test_the_redirect_uri_starts_with_the_public_url_whatever_the_host_header_says(
    browser: Browser,
) -> None:
    answer = await browser.service.get(
        f"{API}/login/oidc/acme",
        headers={"Host": "evil.example.com", "X-Forwarded-Host": "evil.example.com"},
    )

    query = parse_qs(urlsplit(answer.headers["location"]).query)
    assert query["redirect_uri"] == [f"{SERVICE}{API}/login/oidc/acme/callback"]


async def test_an_unfinished_login_is_in_a_short_lived_cookie_that_no_script_reads(
    browser: Browser,
) -> None:
    begun = await browser.begin()
    cookie = begun.headers["set-cookie"].split("; ")

    assert cookie[0].startswith("__Host-oidc_login=")
    assert {"HttpOnly", "Secure", "Path=/", "SameSite=lax", "Max-Age=600"} <= set(cookie)
    assert "Domain" not in begun.headers["set-cookie"]
    finished = await browser.service.get(await browser.at_provider(begun.headers["location"]))
    assert '__Host-oidc_login=""' in finished.headers["set-cookie"]


async def test_the_session_is_in_the_cookie_of_an_ordinary_login(browser: Browser) -> None:
    answer = await browser.log_in()

    cookies = answer.headers.get_list("set-cookie")
    [cookie] = [it for it in cookies if it.startswith("__Host-refresh_token=")]
    assert {"HttpOnly", "Secure", "Path=/", "SameSite=strict"} <= set(cookie.split("; "))


async def test_the_browser_ends_at_the_path_that_it_asked_for(
    resources: Resources, acme: TestProvider
) -> None:
    front = with_settings(resources, front_end_url="https://app.example.com/shop/")
    async with open_browser(front, acme=acme) as browser:
        there = await browser.log_in(path="/books?page=2")
        acme.person["email_verified"] = False
        acme.person["sub"] = "another"
        failed = await browser.log_in(path="/books?page=2")

    assert there.headers["location"] == "https://app.example.com/shop/books?page=2"
    assert failed.headers["location"].startswith(
        "https://app.example.com/shop/books?page=2&error=address_not_verified&error_description="
    )


ELSEWHERE = [
    "https://evil.example.com",
    "//evil.example.com",
    "/\\evil.example.com",
    "/\t/evil.example.com",
    ".evil.example.com",
    "@evil.example.com",
    "/a\r\nSet-Cookie: a=b",
    "/a#b",
    "",
    "/" + "a" * 512,
]


async def test_no_login_ends_at_another_site(browser: Browser) -> None:
    answers = {path: (await browser.begin(path=path)).status_code for path in ELSEWHERE}

    assert answers == dict.fromkeys(ELSEWHERE, 422)


async def test_a_provider_that_is_down_is_a_clear_503(
    resources: Resources, acme: TestProvider
) -> None:
    acme.broken["openid-configuration"] = b"Bad gateway"
    async with open_browser(resources, acme=acme) as browser:
        answer = await browser.begin()

    assert (answer.status_code, answer.json()["detail"]) == (
        503,
        "The provider acme does not answer. Try again in a moment.",
    )
    assert int(answer.headers["retry-after"]) > 0


async def test_a_provider_that_never_answers_times_out(resources: Resources) -> None:
    with silent_server() as port:
        silent = TestProvider(f"http://127.0.0.1:{port}")
        hurried = with_settings(resources, oidc_timeout=0.2)
        async with open_browser(hurried, acme=silent) as browser:
            assert (await browser.begin()).status_code == 503


async def test_a_provider_that_ends_connections_at_once_is_a_503(resources: Resources) -> None:
    with resetting_server(turns=1) as port:
        rude = TestProvider(f"http://127.0.0.1:{port}")
        async with open_browser(resources, acme=rude) as browser:
            assert (await browser.begin()).status_code == 503


@pytest.mark.parametrize(
    "document",
    [
        {"issuer": "https://somebody.example.com"},
        {"token_endpoint": None},
        {"token_endpoint": "ftp://example.com/token"},
        {"jwks_uri": 7},
    ],
    ids=str,
)
async def test_an_invalid_discovery_document_is_a_503(
    browser: Browser, acme: TestProvider, document: dict[str, object]
) -> None:
    acme.metadata_changes = document

    assert (await browser.begin()).status_code == 503


@pytest.mark.parametrize("step", ["token", "keys"])
@pytest.mark.parametrize("body", [b"", b"{}", b"[1]", b"\xff", b"Bad gateway"])
async def test_a_provider_that_fails_during_a_login_is_reported_by_a_code(
    browser: Browser, acme: TestProvider, step: str, body: bytes
) -> None:
    acme.broken[step] = body

    assert error_code(await browser.log_in()) == "provider_unavailable"
    assert await browser.access_token() is None


async def test_a_provider_that_wants_the_secret_in_the_form_gets_it_there(
    browser: Browser, acme: TestProvider
) -> None:
    acme.metadata_changes = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}

    assert error_code(await browser.log_in()) is None


async def test_a_provider_is_asked_for_its_documents_once(
    browser: Browser, acme: TestProvider
) -> None:
    for _ in range(3):
        await browser.log_in()

    assert (acme.asked["openid-configuration"], acme.asked["keys"]) == (1, 1)


async def test_no_connection_is_held_while_a_provider_is_asked(
    committing_resources: Resources, acme: TestProvider
) -> None:
    held: list[int] = []

    def look() -> None:
        held.append(committing_resources.database.engine.pool.checkedout())  # type: ignore[attr-defined]

    acme.when_asked_for_tokens = look
    async with open_browser(committing_resources, acme=acme) as browser:
        assert error_code(await browser.log_in()) is None

    assert held == [0]


async def test_failures_are_in_the_audit_trail_and_secrets_are_not(
    browser: Browser, resources: Resources, acme: TestProvider
) -> None:
    acme.id_token_changes["nonce"] = "a\x00b"
    await browser.log_in()

    async with resources.unit_of_work() as uow:
        [event] = (await uow.session.scalars(select(AuditEvent))).all()
    assert (event.event, event.user_id, event.ip_address) == ("login.failed", None, "192.0.2.7")
    assert event.details["provider"] == "acme"
    assert "nonce" in str(event.details["reason"])


async def test_after_ten_wrong_responses_an_ip_address_has_to_wait(
    resources: Resources, acme: TestProvider
) -> None:
    strict = with_settings(resources, **limits(address=10))
    acme.id_token_changes["aud"] = "another"
    async with (
        open_throttle(strict.settings) as throttle,
        open_browser(replace(strict, throttle=throttle), acme=acme) as browser,
    ):
        errors = [error_code(await browser.log_in()) for _ in range(10)]
        refused = await browser.begin()

    assert errors == ["invalid_answer"] * 10
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) > 0


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
async def test_a_client_secret_may_contain_any_character(
    resources: Resources, acme: TestProvider, method: str
) -> None:
    acme.client_secret = "a+b%20c:d&e=f g/ü"
    acme.metadata_changes["token_endpoint_auth_methods_supported"] = [method]
    async with open_browser(resources, acme=acme) as browser:
        assert error_code(await browser.log_in()) is None


@pytest.mark.parametrize("alg", ["EdDSA", "Ed25519"])
async def test_an_id_token_may_be_signed_with_an_edwards_curve(
    browser: Browser, acme: TestProvider, alg: str
) -> None:
    acme.key = OKPKey.generate_key("Ed25519", {"kid": "edwards", "use": "sig"})
    acme.alg, acme.published = alg, [acme.key]

    assert error_code(await browser.log_in()) is None
