"""What a provider, a thief or a forger may send to the callback, and why it lets nobody in."""

from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

import pytest
from joserfc.jwk import RSAKey
from sqlalchemy import func, select, update

from app.core.resources import Resources
from app.models import AuditEvent, UsedLogin
from app.services.expiry import delete_expired_rows
from tests.accounts import API
from tests.browser import Browser, browsing, error_of
from tests.oidc_provider import (
    CLIENT_ID,
    TestProvider,
    signed_with_public_key,
    signing_key,
    unsigned,
)

PAST, FUTURE = 1_000_000_000, 9_999_999_999
MISPLACED = "https://somebody.example.com"


def changed(url: str, **changes: str | None) -> str:
    """Change parameters of an address; None takes one out."""
    parts = urlsplit(url)
    query: dict[str, str | None] = {name: it[0] for name, it in parse_qs(parts.query).items()}
    kept = {name: value for name, value in (query | changes).items() if value is not None}
    return urlunsplit(parts._replace(query=urlencode(kept)))


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "another"},
        {"nonce": None},
        {"aud": "somebody else"},
        {"aud": ["somebody else"]},
        {"aud": None},
        {"aud": [CLIENT_ID, "somebody else"]},
        {"aud": [CLIENT_ID, "somebody else"], "azp": "somebody else"},
        {"azp": "somebody else"},
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
    ],
    ids=str,
)
async def test_an_id_token_that_says_something_wrong_lets_nobody_in(
    browser: Browser, acme: TestProvider, claims: dict[str, object]
) -> None:
    acme.id_token_changes = claims

    assert error_of(await browser.log_in()) == "invalid_answer"
    assert await browser.access_token() is None


async def test_a_token_for_several_is_good_where_it_says_that_it_was_issued_to_us(
    browser: Browser, acme: TestProvider
) -> None:
    acme.id_token_changes = {"aud": [CLIENT_ID, "somebody else"], "azp": CLIENT_ID}

    assert error_of(await browser.log_in()) is None


@pytest.mark.parametrize("alg", ["none", "None", "NONE", ""])
async def test_an_unsigned_id_token_lets_nobody_in(
    browser: Browser, acme: TestProvider, alg: str
) -> None:
    acme.forge = lambda claims: unsigned(claims, alg)

    assert error_of(await browser.log_in()) == "invalid_answer"


@pytest.mark.parametrize("alg", ["HS256", "RS256"])
async def test_an_id_token_signed_with_the_public_key_lets_nobody_in(
    browser: Browser, acme: TestProvider, alg: str
) -> None:
    acme.forge = lambda claims: signed_with_public_key(claims, alg)

    assert error_of(await browser.log_in()) == "invalid_answer"


@pytest.mark.parametrize("token", ["", "a.b.c", "x" * 200_000, "é", "..", "a.b.c.d.e"])
async def test_what_is_no_id_token_lets_nobody_in(
    browser: Browser, acme: TestProvider, token: str
) -> None:
    acme.forge = lambda _: token

    assert error_of(await browser.log_in()) == "invalid_answer"


async def test_a_signature_by_another_key_of_the_same_name_lets_nobody_in(
    browser: Browser, acme: TestProvider
) -> None:
    forged = signing_key("other").as_dict(private=True) | {"kid": "first"}
    acme.key = RSAKey.import_key(forged)

    assert error_of(await browser.log_in()) == "invalid_answer"


async def test_a_rotated_key_is_found(browser: Browser, acme: TestProvider) -> None:
    assert error_of(await browser.log_in()) is None
    acme.key = signing_key("second")
    acme.published = [signing_key("first"), signing_key("second")]

    assert error_of(await browser.log_in()) is None
    assert acme.asked["keys"] == 2


async def test_unknown_keys_are_looked_for_once_a_minute(
    browser: Browser, acme: TestProvider
) -> None:
    acme.key = signing_key("unknown")
    errors = [error_of(await browser.log_in()) for _ in range(3)]

    assert errors == ["invalid_answer"] * 3
    assert acme.asked["keys"] == 2


async def test_a_second_answer_to_a_login_is_refused(browser: Browser, acme: TestProvider) -> None:
    begun = await browser.begin()
    cookie = {"Cookie": begun.headers["set-cookie"].partition(";")[0]}
    first = await browser.at_provider(begun.headers["location"])
    second = await browser.at_provider(begun.headers["location"])

    assert error_of(await browser.service.get(first, headers=cookie)) is None
    assert error_of(await browser.service.get(second, headers=cookie)) == "login_expired"
    assert error_of(await browser.service.get(first, headers=cookie)) == "login_expired"
    assert acme.asked["token"] == 1


async def test_a_code_that_was_used_already_is_refused_by_the_provider(
    browser: Browser, acme: TestProvider
) -> None:
    used = parse_qs(urlsplit(await browser.answered()).query)["code"][0]
    await browser.service.get(await browser.answered())
    mine = await browser.answered()
    await browser.service.get(changed(mine, code=used))

    assert error_of(await browser.service.get(changed(mine, code=used))) == "login_expired"
    again = await browser.answered()
    assert error_of(await browser.service.get(changed(again, code=used))) == "invalid_answer"
    assert acme.asked["token"] == 3


async def test_somebody_elses_code_is_worth_nothing_in_my_login(
    browser: Browser, resources: Resources, acme: TestProvider
) -> None:
    async with browsing(resources, acme=acme) as victim:
        stolen = parse_qs(urlsplit(await victim.answered()).query)["code"][0]
    answer = await browser.service.get(changed(await browser.answered(), code=stolen))

    assert error_of(answer) == "invalid_answer"
    assert await browser.access_token() is None


async def test_somebody_elses_login_does_not_end_in_my_browser(
    browser: Browser, resources: Resources, acme: TestProvider
) -> None:
    async with browsing(resources, acme=acme) as attacker:
        prepared = await attacker.answered()
    assert error_of(await browser.service.get(prepared)) == "login_expired"

    mine = await browser.answered()
    assert error_of(await browser.service.get(prepared)) == "login_expired"
    assert await browser.access_token() is None
    assert error_of(await browser.service.get(mine)) is None


@pytest.mark.parametrize("state", [None, "", "x" * 43, "é" * 43])
async def test_without_the_right_state_nobody_gets_in(browser: Browser, state: str | None) -> None:
    answer = await browser.service.get(changed(await browser.answered(), state=state))

    assert error_of(answer) == "login_expired"


@pytest.mark.parametrize("cookie", ["", "x", "a.b.c", "é", "x" * 5_000])
async def test_a_made_up_cookie_is_no_login(browser: Browser, cookie: str) -> None:
    url = await browser.answered()
    browser.service.cookies.clear()
    header = {b"Cookie": f"__Host-oidc_login={cookie}".encode()}

    assert error_of(await browser.service.get(url, headers=header)) == "login_expired"


@pytest.mark.parametrize("iss", [MISPLACED, None])
async def test_an_answer_that_names_another_issuer_or_none_is_refused(
    browser: Browser, acme: TestProvider, iss: str | None
) -> None:
    answer = await browser.service.get(changed(await browser.answered(), iss=iss))

    assert error_of(answer) == "invalid_answer"
    assert acme.asked["token"] == 0


async def test_a_provider_that_does_not_name_itself_is_believed_where_it_never_does(
    browser: Browser, acme: TestProvider
) -> None:
    acme.metadata_changes = {"authorization_response_iss_parameter_supported": False}
    acme.names_itself = False

    assert error_of(await browser.log_in()) is None


async def test_the_answer_of_one_provider_does_not_count_at_another(
    resources: Resources, acme: TestProvider, other: TestProvider
) -> None:
    acme.metadata_changes = {"authorization_response_iss_parameter_supported": False}
    acme.names_itself = False
    async with browsing(resources, acme=acme, other=other) as browser:
        url = (await browser.answered("acme")).replace("/acme/", "/other/")
        assert error_of(await browser.service.get(url)) == "login_expired"

    assert (acme.asked["token"], other.asked["token"]) == (0, 0)


async def test_an_id_token_of_one_provider_does_not_count_at_another(
    resources: Resources, acme: TestProvider, other: TestProvider
) -> None:
    acme.id_token_changes["iss"] = other.issuer
    other.key = signing_key("of the other")
    other.published = [other.key]
    async with browsing(resources, acme=acme, other=other) as browser:
        assert error_of(await browser.log_in("acme")) == "invalid_answer"


async def test_the_same_subject_of_two_providers_is_two_people(
    resources: Resources, acme: TestProvider, other: TestProvider
) -> None:
    other.person["email"] = "eve@example.com"
    async with browsing(resources, acme=acme, other=other) as browser:
        await browser.log_in("acme")
        ada = await browser.me()
        await browser.log_in("other")

        assert (ada["email"], (await browser.me())["email"]) == (
            "ada@example.com",
            "eve@example.com",
        )


async def test_who_does_not_agree_at_the_provider_is_not_let_in(browser: Browser) -> None:
    url = changed(await browser.answered(), code=None, error="access_denied")

    assert error_of(await browser.service.get(url)) == "login_denied"
    assert error_of(await browser.service.get(url)) == "login_expired"


@pytest.mark.parametrize("error", [None, "server_error"])
async def test_an_answer_without_a_code_is_refused(browser: Browser, error: str | None) -> None:
    url = changed(await browser.answered(), code=None, error=error)
    answer = await browser.service.get(url)

    assert error_of(answer) == "invalid_answer"


async def test_a_used_login_is_forgotten_when_it_would_be_refused_anyway(
    browser: Browser, resources: Resources
) -> None:
    await browser.log_in()
    async with resources.unit_of_work() as uow:
        await delete_expired_rows(uow)
        assert await uow.session.scalar(select(func.count()).select_from(UsedLogin)) == 1
        await uow.session.execute(update(UsedLogin).values(expires_at=func.now()))
        await delete_expired_rows(uow)
        assert await uow.session.scalar(select(func.count()).select_from(UsedLogin)) == 0


async def test_failures_do_not_tell_a_stack_trace_but_the_trail_the_reason(
    browser: Browser, resources: Resources, acme: TestProvider
) -> None:
    acme.forge = unsigned
    answer = await browser.log_in()

    assert "Traceback" not in answer.text + answer.headers["location"]
    async with resources.unit_of_work() as uow:
        [event] = (await uow.session.scalars(select(AuditEvent))).all()
    assert "none" in str(event.details["reason"])


async def test_a_callback_that_nobody_began_is_answered(browser: Browser) -> None:
    answer = await browser.service.get(f"{API}/login/oidc/acme/callback")

    assert error_of(answer) == "login_expired"
