import time
from uuid import uuid4

import pytest
from pydantic import HttpUrl, SecretStr

from app.core.config import Settings
from app.core.exceptions import Unauthenticated
from app.core.security.access_tokens import AccessToken, issue_access_token, read_access_token

TOKEN = AccessToken(user_id=uuid4(), session_id=uuid4())


def test_a_token_that_was_verified_before_expires_on_time(settings: Settings) -> None:
    short = settings.model_copy(update={"access_token_lifetime": 1})
    issued = time.time()
    token = issue_access_token(short, TOKEN)
    assert read_access_token(short, token) == TOKEN

    while time.time() < issued + 1:
        time.sleep(0.05)
    with pytest.raises(Unauthenticated):
        read_access_token(short, token)


def test_a_verified_token_is_invalid_for_another_service(
    settings: Settings,
) -> None:
    token = issue_access_token(settings, TOKEN)
    assert read_access_token(settings, token) == TOKEN

    for change in (
        {"secret_key": SecretStr("another secret that is long enough")},
        {"public_url": HttpUrl("https://elsewhere.example.com")},
        {"access_token_lifetime": settings.access_token_lifetime - 1},
    ):
        with pytest.raises(Unauthenticated):
            read_access_token(settings.model_copy(update=change), token)
