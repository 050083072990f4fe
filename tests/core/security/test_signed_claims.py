"""The tokens of the service, and those of a library that implements the same standard."""

import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest

from app.core.security.signed_claims import InvalidToken, WrongSignature, header, sign, verify

KEY, OTHER_KEY = b"k" * 32, b"o" * 32
HEADER = header("at+jwt")


def claims(**changes: object) -> dict[str, Any]:
    return {"aud": "a reader", "exp": int(time.time()) + 60, "name": "Zoë"} | changes


def test_a_library_reads_a_token_of_the_service() -> None:
    token = sign(claims(), KEY, header=HEADER)

    assert jwt.decode(token, KEY, algorithms=["HS256"], audience="a reader") == claims()
    assert jwt.get_unverified_header(token) == {"alg": "HS256", "typ": "at+jwt"}


def test_the_service_reads_a_token_of_a_library() -> None:
    token = jwt.encode(claims(), KEY, "HS256", headers={"typ": "at+jwt"})

    assert verify(token, KEY, header=HEADER, audience="a reader") == claims()


def test_a_token_with_another_signature_names_the_key_as_a_possible_reason() -> None:
    token = sign(claims(), KEY, header=HEADER)

    for key, changed in ((OTHER_KEY, token), (KEY, token[:-1]), (KEY, token + "=")):
        with pytest.raises(WrongSignature):
            verify(changed, key, header=HEADER, audience="a reader")


@pytest.mark.parametrize(
    "make",
    [
        lambda: "",
        lambda: "..",
        lambda: HEADER,
        lambda: sign(claims(), KEY, header=HEADER).replace(".", "é", 1),
        lambda: sign(claims(), KEY, header=header("JWT")),
        lambda: sign(claims(more="x" * 2_000), KEY, header=HEADER),
        lambda: sign(claims(aud="another reader"), KEY, header=HEADER),
        lambda: sign(claims(aud=["a reader"]), KEY, header=HEADER),
        lambda: sign(claims(exp=int(time.time()) - 1), KEY, header=HEADER),
        lambda: sign(claims(exp=str(int(time.time()) + 60)), KEY, header=HEADER),
        lambda: sign({"exp": int(time.time()) + 60}, KEY, header=HEADER),
        lambda: sign({"aud": "a reader"}, KEY, header=HEADER),
        lambda: jwt.api_jws.encode(b"[]", KEY, "HS256", headers={"typ": "at+jwt"}),
        lambda: jwt.api_jws.encode(b"no JSON", KEY, "HS256", headers={"typ": "at+jwt"}),
    ],
)
def test_a_token_that_the_service_would_not_make_is_invalid(make: Callable[[], str]) -> None:
    with pytest.raises(InvalidToken):
        verify(make(), KEY, header=HEADER, audience="a reader")
