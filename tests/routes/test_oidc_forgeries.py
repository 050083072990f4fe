"""Forged and misplaced responses to the callback do not log in."""

from functools import partial
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

import pytest
from joserfc.jwk import RSAKey
from sqlalchemy import func, select, update

from app.core.resources import Resources
from app.models import AuditEvent, UsedLogin
from app.services.cleanup_service import delete_expired_rows
from tests.routes.conftest import Undone
from tests.support.accounts import API, open_anonymous_scope
from tests.support.browser import Browser, error_code, open_browser, with_front_end
from tests.support.oidc_provider import (
    CLIENT_ID,
    Forge,
    TestProvider,
    signed_with_public_key,
    signing_key,
    unsigned,
)

PAST, FUTURE = 1_000_000_000, 9_999_999_999
MISPLACED = "https://somebody.example.com"
WRONG_CLAIMS: list[dict[str, object]] = [
    {"nonce": "another"},
    {"nonce": None},
    {"aud": "another"},
    {"aud": ["another"]},
    {"aud": None},
    {"aud": [CLIENT_ID, "another"]},
    {"aud": [CLIENT_ID, "another"], "azp": "another"},
    {"azp": "another"},
    {"iss": MISPLACED},
    {"iss": None},
    {"exp": PAST},
    {"exp": None},
    {"exp": "never"},
    {"iat": FUTURE},
    {"iat": None},
    {"nbf": FUTURE},
    {"at_hash": "of another access token"},
    {"at_hash": 7},
    {"sub": None},
    {"sub": ""},
    {"sub": 7},
    {"sub": "a\x00b"},
    {"sub": "s" * 256},
]


def always(token: str) -> Forge:
    return lambda _: token


def changed(url: str, **changes: str | None) -> str:
    """Change parameters of a URL. None removes one."""
    parts = urlsplit(url)
    query: dict[str, str | None] = {name: it[0] for name, it in parse_qs(parts.query).items()}
    kept = {name: value for name, value in (query | changes).items() if value is not None}
    return urlunsplit(parts._replace(query=urlencode(kept)))


async def test_an_id_token_with_a_wrong_claim_is_refused(
    browser: Browser, acme: TestProvider, undone: Undone
) -> None:
    for claims in WRONG_CLAIMS:
        async with undone():
            acme.id_token_changes = claims
            assert error_code(await browser.log_in()) == "invalid_answer", claims
            assert await browser.access_token() is None, claims


async def test_a_token_for_several_audiences_must_name_us_as_the_authorized_party(
    browser: Browser, acme: TestProvider
) -> None:
    acme.id_token_changes = {"aud": [CLIENT_ID, "another"], "azp": CLIENT_ID}

    assert error_code(await browser.log_in()) is None


async def test_an_unsigned_id_token_is_refused(browser: Browser, acme: TestProvider) -> None:
    for alg in ("none", "None", "NONE", ""):
        acme.forge = partial(unsigned, alg=alg)
        assert error_code(await browser.log_in()) == "invalid_answer", alg


async def test_an_id_token_signed_with_the_public_key_is_refused(
    browser: Browser, acme: TestProvider
) -> None:
    for alg in ("HS256", "RS256"):
        acme.forge = partial(signed_with_public_key, alg=alg)
        assert error_code(await browser.log_in()) == "invalid_answer", alg


async def test_a_malformed_id_token_is_refused(browser: Browser, acme: TestProvider) -> None:
    for token in ("", "a.b.c", "x" * 200_000, "é", "..", "a.b.c.d.e"):
        acme.forge = always(token)
        assert error_code(await browser.log_in()) == "invalid_answer", token[:9]


async def test_a_signature_by_another_key_with_the_same_id_is_refused(
    browser: Browser, acme: TestProvider
) -> None:
    forged = signing_key("other").as_dict(private=True) | {"kid": "first"}
    acme.key = RSAKey.import_key(forged)

    assert error_code(await browser.log_in()) == "invalid_answer"


async def test_a_rotated_key_is_found(browser: Browser, acme: TestProvider) -> None:
    assert error_code(await browser.log_in()) is None
    acme.key = signing_key("second")
    acme.published = [signing_key("first"), signing_key("second")]

    assert error_code(await browser.log_in()) is None
    assert acme.asked["keys"] == 2


async def test_unknown_keys_are_fetched_once_per_minute(
    browser: Browser, acme: TestProvider
) -> None:
    acme.key = signing_key("unknown")
    errors = [error_code(await browser.log_in()) for _ in range(3)]

    assert errors == ["invalid_answer"] * 3
    assert acme.asked["keys"] == 2


async def test_a_second_response_to_a_login_is_refused(
    browser: Browser, acme: TestProvider
) -> None:
    begun = await browser.begin()
    cookie = {"Cookie": begun.headers["set-cookie"].partition(";")[0]}
    first = await browser.at_provider(begun.headers["location"])
    second = await browser.at_provider(begun.headers["location"])

    assert error_code(await browser.service.get(first, headers=cookie)) is None
    assert error_code(await browser.service.get(second, headers=cookie)) == "login_expired"
    assert error_code(await browser.service.get(first, headers=cookie)) == "login_expired"
    assert acme.asked["token"] == 1


async def test_a_code_that_was_used_already_is_refused_by_the_provider(
    browser: Browser, acme: TestProvider
) -> None:
    used = parse_qs(urlsplit(await browser.answered()).query)["code"][0]
    await browser.service.get(await browser.answered())
    mine = await browser.answered()
    await browser.service.get(changed(mine, code=used))

    assert error_code(await browser.service.get(changed(mine, code=used))) == "login_expired"
    again = await browser.answered()
    assert error_code(await browser.service.get(changed(again, code=used))) == "invalid_answer"
    assert acme.asked["token"] == 3


async def test_the_code_of_another_login_is_refused(
    browser: Browser, resources: Resources, acme: TestProvider
) -> None:
    async with open_browser(with_front_end(resources), acme=acme) as victim:
        stolen = parse_qs(urlsplit(await victim.answered()).query)["code"][0]
    answer = await browser.service.get(changed(await browser.answered(), code=stolen))

    assert error_code(answer) == "invalid_answer"
    assert await browser.access_token() is None


async def test_a_login_of_another_browser_cannot_be_finished_in_mine(
    browser: Browser, resources: Resources, acme: TestProvider
) -> None:
    async with open_browser(with_front_end(resources), acme=acme) as attacker:
        prepared = await attacker.answered()
    assert error_code(await browser.service.get(prepared)) == "login_expired"

    mine = await browser.answered()
    assert error_code(await browser.service.get(prepared)) == "login_expired"
    assert await browser.access_token() is None
    assert error_code(await browser.service.get(mine)) is None


async def test_a_response_without_the_right_state_is_refused(browser: Browser) -> None:
    for state in (None, "", "x" * 43, "é" * 43):
        answer = await browser.service.get(changed(await browser.answered(), state=state))
        assert error_code(answer) == "login_expired", state


async def test_a_forged_cookie_is_refused(browser: Browser) -> None:
    for cookie in ("", "x", "a.b.c", "é", "x" * 5_000):
        url = await browser.answered()
        browser.service.cookies.clear()
        header = {b"Cookie": f"__Host-oidc_login={cookie}".encode()}
        answer = await browser.service.get(url, headers=header)
        assert error_code(answer) == "login_expired", cookie[:9]


async def test_a_response_that_names_another_issuer_or_none_is_refused(
    browser: Browser, acme: TestProvider
) -> None:
    for iss in (MISPLACED, None):
        answer = await browser.service.get(changed(await browser.answered(), iss=iss))
        assert error_code(answer) == "invalid_answer", iss
    assert acme.asked["token"] == 0


async def test_a_response_without_an_issuer_is_accepted_from_a_provider_that_never_sends_one(
    browser: Browser, acme: TestProvider
) -> None:
    acme.metadata_changes = {"authorization_response_iss_parameter_supported": False}
    acme.names_itself = False

    assert error_code(await browser.log_in()) is None


async def test_the_response_of_one_provider_is_refused_at_another(
    resources: Resources, acme: TestProvider, other: TestProvider
) -> None:
    acme.metadata_changes = {"authorization_response_iss_parameter_supported": False}
    acme.names_itself = False
    async with open_browser(with_front_end(resources), acme=acme, other=other) as browser:
        url = (await browser.answered("acme")).replace("/acme/", "/other/")
        assert error_code(await browser.service.get(url)) == "login_expired"

    assert (acme.asked["token"], other.asked["token"]) == (0, 0)


async def test_an_id_token_of_one_provider_is_refused_at_another(
    resources: Resources, acme: TestProvider, other: TestProvider
) -> None:
    acme.id_token_changes["iss"] = other.issuer
    other.key = signing_key("of the other")
    other.published = [other.key]
    async with open_browser(with_front_end(resources), acme=acme, other=other) as browser:
        assert error_code(await browser.log_in("acme")) == "invalid_answer"


async def test_the_same_subject_at_two_providers_is_two_users(
    resources: Resources, acme: TestProvider, other: TestProvider
) -> None:
    other.person["email"] = "eve@example.com"
    async with open_browser(with_front_end(resources), acme=acme, other=other) as browser:
        await browser.log_in("acme")
        ada = await browser.me()
        await browser.log_in("other")

        assert (ada["email"], (await browser.me())["email"]) == (
            "ada@example.com",
            "eve@example.com",
        )


async def test_a_user_who_declines_at_the_provider_is_not_logged_in(browser: Browser) -> None:
    url = changed(await browser.answered(), code=None, error="access_denied")

    assert error_code(await browser.service.get(url)) == "login_denied"
    assert error_code(await browser.service.get(url)) == "login_expired"


@pytest.mark.parametrize("error", [None, "server_error"])
async def test_a_response_without_a_code_is_refused(browser: Browser, error: str | None) -> None:
    url = changed(await browser.answered(), code=None, error=error)
    answer = await browser.service.get(url)

    assert error_code(answer) == "invalid_answer"


async def test_a_used_login_is_deleted_once_it_has_expired(
    browser: Browser, resources: Resources
) -> None:
    used = select(func.count()).select_from(UsedLogin)
    open_scope = partial(open_anonymous_scope, resources)
    await browser.log_in()
    await delete_expired_rows(open_scope, resources.settings)
    assert await resources.reader.scalar(used) == 1
    async with resources.unit_of_work() as uow:
        await uow.session.execute(update(UsedLogin).values(expires_at=func.now()))
    await delete_expired_rows(open_scope, resources.settings)
    assert await resources.reader.scalar(used) == 0


async def test_failures_show_no_stack_trace_and_the_audit_trail_shows_the_reason(
    browser: Browser, resources: Resources, acme: TestProvider
) -> None:
    acme.forge = unsigned
    answer = await browser.log_in()

    assert "Traceback" not in answer.text + answer.headers["location"]
    async with resources.unit_of_work() as uow:
        [event] = (await uow.session.scalars(select(AuditEvent))).all()
    assert "none" in str(event.details["reason"])


async def test_a_callback_without_a_login_is_redirected_with_an_error(browser: Browser) -> None:
    answer = await browser.service.get(f"{API}/login/oidc/acme/callback")

    assert error_code(answer) == "login_expired"
