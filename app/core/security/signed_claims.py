"""Signed claims: JSON web tokens (RFC 7519) with HMAC-SHA256.

The service alone verifies them, so each kind has one header, and a token with another header is
invalid. A JWT library would load 10 MiB of cryptography for one function that Python has.
"""

import hmac
import json
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from typing import Any

MAX_LENGTH = 2_048


class InvalidToken(Exception):
    """The token is of another kind or for another audience, was changed, or has expired."""


class WrongSignature(InvalidToken):
    """The token was changed, or another key signed it."""


def header(kind: str) -> str:
    """Return the encoded header of a kind, such as `at+jwt`. All its tokens start with it."""
    return _encode(_json({"alg": "HS256", "typ": kind}))


def sign(claims: Mapping[str, object], key: bytes, *, header: str) -> str:
    """Return a token. The claims contain `aud` and `exp`."""
    signed = f"{header}.{_encode(_json(claims))}"
    return f"{signed}.{_signature(signed, key)}"


def verify(token: str, key: bytes, *, header: str, audience: str) -> dict[str, Any]:
    """Return the claims of a token. Raises InvalidToken, or WrongSignature."""
    signed, _, signature = token.rpartition(".")
    if len(token) > MAX_LENGTH or not token.isascii() or not signed.startswith(f"{header}."):
        raise InvalidToken
    if not hmac.compare_digest(signature, _signature(signed, key)):
        raise WrongSignature
    claims = _read(signed.removeprefix(f"{header}."))
    if claims.get("aud") != audience or not _is_later_than_now(claims.get("exp")):
        raise InvalidToken
    return claims


def _signature(signed: str, key: bytes) -> str:
    return _encode(hmac.digest(key, signed.encode(), "sha256"))


def _read(encoded: str) -> dict[str, Any]:
    try:
        claims = json.loads(urlsafe_b64decode(encoded + "=="))
    except ValueError as error:
        raise InvalidToken from error
    if not isinstance(claims, dict):
        raise InvalidToken
    return claims


def _is_later_than_now(moment: object) -> bool:
    return isinstance(moment, int) and moment > time.time()


def _json(value: Mapping[str, object]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _encode(value: bytes) -> str:
    return urlsafe_b64encode(value).rstrip(b"=").decode()
