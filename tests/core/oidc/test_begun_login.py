from dataclasses import replace
from uuid import uuid4

import jwt
import pytest

from app.core.config import Settings
from app.core.oidc.begun_login import AUDIENCE, BegunLogin, seal, unseal
from app.core.tokens import derive_key

LOGIN = BegunLogin(secret="s" * 43, provider="acme", path="/books")
LINK = replace(LOGIN, user_id=uuid4(), session_id=uuid4())


@pytest.mark.parametrize("login", [LOGIN, LINK], ids=["login", "link"])
def test_a_login_is_good_for_as_long_as_the_setting_says(
    settings: Settings, login: BegunLogin
) -> None:
    past = settings.model_copy(update={"oidc_login_lifetime": -1})

    assert unseal(settings, seal(settings, login)) == login
    assert unseal(settings, seal(past, login)) is None


def test_a_login_that_another_key_has_sealed_is_none(settings: Settings) -> None:
    other = settings.model_copy(update={"secret_key": settings.secret_key.__class__("k" * 40)})

    assert unseal(settings, seal(other, LOGIN)) is None


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
def test_a_login_that_does_not_say_all_is_none(
    settings: Settings, claims: dict[str, object]
) -> None:
    key = derive_key(settings, AUDIENCE)
    good = jwt.decode(seal(settings, LOGIN), key, algorithms=["HS256"], audience=AUDIENCE)
    changed = {name: it for name, it in (good | claims).items() if it is not None}

    assert unseal(settings, jwt.encode(good, key, "HS256")) == LOGIN
    assert unseal(settings, jwt.encode(changed, key, "HS256")) is None


def test_what_others_see_of_a_login_differs_and_does_not_tell_its_secret() -> None:
    seen = {LOGIN.secret, LOGIN.state, LOGIN.nonce, LOGIN.code_verifier}

    assert len(seen) == 4
    assert {len(it) for it in seen} == {43}
