"""The device of a request, which browsers send in a cookie and apps in a header."""

from datetime import timedelta

from fastapi import Response
from fastapi.requests import HTTPConnection

NAME = "__Host-device"
HEADER = "X-Device-ID"
LIFETIME = timedelta(days=400)
"""The longest lifetime of a cookie that browsers allow."""

MIN_LENGTH, MAX_LENGTH = 32, 128
"""With an id that is easy to guess or shared by many devices, no alert would report an attacker."""


def device_of(request: HTTPConnection) -> str | None:
    """Return the secret id of the device that has sent a request, or None if it has none."""
    device = request.cookies.get(NAME) or request.headers.get(HEADER, "")
    return device if MIN_LENGTH <= len(device) <= MAX_LENGTH else None


def set_device_cookie(response: Response, device: str) -> None:
    # Lax, not strict, because a login with a provider ends with a request from the provider's page.
    response.set_cookie(
        NAME,
        device,
        max_age=int(LIFETIME.total_seconds()),
        path="/",
        secure=True,
        httponly=True,
        samesite="lax",
    )
