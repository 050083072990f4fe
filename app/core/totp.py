"""Codes that change with the time, after RFC 6238, as authenticator apps make them.

A library would save one line of HMAC and hide the step that a code belongs to: whoever forgets
that step accepts the code again.
"""

import hmac
import secrets
import time
from base64 import b32encode
from urllib.parse import quote, urlencode

STEP = 30
"""Seconds that a code is shown for."""

DIGITS = 6
DRIFT = 1
"""How many steps a clock may be early or late, and how many a code may be on its way."""


def new_secret() -> bytes:
    """Make a secret as long as the hash, as RFC 4226 asks for."""
    return secrets.token_bytes(20)


def as_text(secret: bytes) -> str:
    """Write a secret the way that people type it into an app."""
    return b32encode(secret).decode()


def provisioning_uri(secret: bytes, *, issuer: str, account: str) -> str:
    """Build what an app reads from a QR code. It holds the secret."""
    label = f"{quote(issuer)}:{quote(account, safe='@')}"
    parameters = {
        "secret": as_text(secret),
        "issuer": issuer,
        "algorithm": "SHA1",
        "digits": DIGITS,
        "period": STEP,
    }
    return f"otpauth://totp/{label}?{urlencode(parameters)}"


def current_step() -> int:
    return int(time.time()) // STEP


def code_of(secret: bytes, step: int) -> str:
    """Compute the code of a step. SHA-1 is what apps know, and in an HMAC it is sound."""
    digest = hmac.digest(secret, step.to_bytes(8, "big"), "sha1")
    offset = digest[-1] & 0xF
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFF_FFFF
    return f"{number % 10**DIGITS:0{DIGITS}}"


def find_step(secret: bytes, code: str, *, now: int, after: int) -> int | None:
    """Tell which step a code belongs to: close to `now`, and after the last one that was used."""
    steps = [
        step
        for step in range(now - DRIFT, now + DRIFT + 1)
        if hmac.compare_digest(code_of(secret, step).encode(), code.encode(errors="replace"))
    ]
    return max((step for step in steps if step > after), default=None)
