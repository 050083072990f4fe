"""Time-based one-time codes (RFC 6238) of authenticator apps.

A library would save one line of HMAC, but hide the time step of a code. That step must be stored so
that a code is not accepted twice.
"""

import hmac
import secrets
import time
from base64 import b32encode
from urllib.parse import quote, urlencode

STEP = 30
"""Seconds for which an app shows a code."""

DIGITS = 6
DRIFT = 1
"""The steps by which a client's clock may be early or late."""


def new_secret() -> bytes:
    """Return a secret as long as the hash, as RFC 4226 recommends."""
    return secrets.token_bytes(20)


def as_base32(secret: bytes) -> str:
    """Return a secret in the form that users enter in an app."""
    return b32encode(secret).decode()


def provisioning_uri(secret: bytes, *, issuer: str, account: str) -> str:
    """Return the URI that an app reads from a QR code. It contains the secret."""
    label = f"{quote(issuer)}:{quote(account, safe='@')}"
    parameters = {
        "secret": as_base32(secret),
        "issuer": issuer,
        "algorithm": "SHA1",
        "digits": DIGITS,
        "period": STEP,
    }
    return f"otpauth://totp/{label}?{urlencode(parameters)}"


def current_step() -> int:
    return int(time.time()) // STEP


def code_at(secret: bytes, step: int) -> str:
    """Compute the code of a time step. Apps support only SHA-1, which is secure in an HMAC."""
    digest = hmac.digest(secret, step.to_bytes(8, "big"), "sha1")
    offset = digest[-1] & 0xF
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFF_FFFF
    return f"{number % 10**DIGITS:0{DIGITS}}"


def find_step(secret: bytes, code: str, *, now: int, after: int) -> int | None:
    """Return the time step of a code, if it is close to `now` and later than the last used one."""
    steps = [
        step
        for step in range(now - DRIFT, now + DRIFT + 1)
        if hmac.compare_digest(code_at(secret, step).encode(), code.encode(errors="replace"))
    ]
    return max((step for step in steps if step > after), default=None)
