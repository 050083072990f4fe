from dataclasses import replace
from uuid import uuid4

import jwt
import pytest

from app.core.config import Settings
from app.core.oidc.login_cookie import AUDIENCE, read_login_state, sign_login_state
from app.core.oidc.login_state import LoginState
from app.core.security.keys import Keys
from tests.support.secrets import OTHER_SECRET

LOGIN = LoginState(secret="s" * 43, provider="acme", path="/books")
LINK = replace(LOGIN, user_id=uuid4(), session_id=uuid4())


@pytest.mark.parametrize("login", [LOGIN, LINK], ids=["login", "link"])
def test_a_login_state_expires_after_the_configured_time(
    settings: Settings, login: LoginState
) -> None:
    past = settings.model_copy(update={"oidc_login_lifetime": -1})

    assert read_login_state(settings, sign_login_state(settings, login)) == login
    assert read_login_state(settings, sign_login_state(past, login)) is None


def test_a_login_state_that_another_key_signed_is_invalid(settings: Settings) -> None:
    other = settings.model_copy(update={"secret_key": settings.secret_key.__class__(OTHER_SECRET)})

    assert read_login_state(settings, sign_login_state(other, LOGIN)) is None


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "access token"},
        {"exp": None},
        {"login": None},
        {"login": {"secret": "short", "provider": "acme", "path": "/"}},
        {"login": {"secret": "s" * 43, "provider": "acme"}},
    ],
    ids=str,
)
def test_an_incomplete_login_state_is_invalid(
    settings: Settings, claims: dict[str, object]
) -> None:
    key = Keys.of(settings, AUDIENCE).current
    good = jwt.decode(
        sign_login_state(settings, LOGIN), key, algorithms=["HS256"], audience=AUDIENCE
    )
    changed = {name: it for name, it in (good | claims).items() if it is not None}

    assert read_login_state(settings, jwt.encode(good, key, "HS256")) == LOGIN
    assert read_login_state(settings, jwt.encode(changed, key, "HS256")) is None


def test_the_public_values_of_a_login_do_not_reveal_its_secret() -> None:
    seen = {LOGIN.secret, LOGIN.state, LOGIN.nonce, LOGIN.code_verifier}

    assert len(seen) == 4
    assert {len(it) for it in seen} == {43}
