"""A device from which users log in: browsers send a cookie, and apps a header."""

from datetime import timedelta

from fastapi import Response
from fastapi.requests import HTTPConnection

NAME = "__Host-device"
HEADER = "X-Device-ID"
LIFETIME = timedelta(days=400)
"""The longest that browsers keep a cookie."""

MIN_LENGTH, MAX_LENGTH = 32, 128
"""An id that can be guessed, or that many devices share, would hide an attacker's login."""


def device_of(request: HTTPConnection) -> str | None:
    """Return the secret name of the device that a request comes from, if it has one."""
    device = request.cookies.get(NAME) or request.headers.get(HEADER, "")
    return device if MIN_LENGTH <= len(device) <= MAX_LENGTH else None


def set_device_cookie(response: Response, device: str) -> None:
    # Lax and not strict: a login at a provider ends with a request from the provider's page.
    response.set_cookie(
        NAME,
        device,
        max_age=int(LIFETIME.total_seconds()),
        path="/",
        secure=True,
        httponly=True,
        samesite="lax",
    )
