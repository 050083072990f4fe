import time
from uuid import uuid4

import jwt
import pytest

from app.core.config import Settings
from app.core.security.keys import Keys
from app.core.security.passkeys.ceremony import (
    AUDIENCE,
    LIFETIME,
    Ceremony,
    CeremonyPurpose,
    read_ceremony,
    sign_ceremony,
)
from tests.support.secrets import OTHER_SECRET

CEREMONY = Ceremony(CeremonyPurpose.PROOF, "c" * 43, uuid4())


def test_a_ceremony_comes_back_as_it_was_signed(settings: Settings) -> None:
    login = Ceremony(CeremonyPurpose.LOGIN, "c" * 43)

    for ceremony in (CEREMONY, login):
        assert read_ceremony(settings, sign_ceremony(settings, ceremony)) == ceremony


def test_a_ceremony_that_another_key_signed_is_invalid(settings: Settings) -> None:
    other = settings.model_copy(update={"secret_key": settings.secret_key.__class__(OTHER_SECRET)})

    assert read_ceremony(settings, sign_ceremony(other, CEREMONY)) is None


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": 1_700_000_000},
        {"exp": None},
        {"aud": "oidc login"},
        {"ceremony": None},
        {"ceremony": {"purpose": "proof", "challenge": "short"}},
        {"ceremony": {"purpose": "anything", "challenge": "c" * 43}},
    ],
    ids=str,
)
def test_an_incomplete_or_old_ceremony_is_invalid(
    settings: Settings, claims: dict[str, object]
) -> None:
    key = Keys.of(settings, AUDIENCE).current
    good = jwt.decode(
        sign_ceremony(settings, CEREMONY), key, algorithms=["HS256"], audience=AUDIENCE
    )
    changed = {name: it for name, it in (good | claims).items() if it is not None}

    assert 0 < good["exp"] - time.time() <= LIFETIME
    assert read_ceremony(settings, jwt.encode(good, key, "HS256")) == CEREMONY
    assert read_ceremony(settings, jwt.encode(changed, key, "HS256")) is None
