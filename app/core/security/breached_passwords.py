"""Passwords from data breaches, looked up in a service that does not learn the password.

The service gets the first five digits of a hash, and returns all hashes with this prefix
(k-anonymity). These are about a thousand, padded so that even their number reveals nothing.
"""

import hashlib
from functools import cache
from ssl import SSLContext

import structlog

from app.core.config import Settings
from app.core.security.passwords import normalized

PREFIX_LENGTH = 5
TIMEOUT = 2.0
"""In seconds. A user who chooses a password waits for the response."""

log = structlog.stdlib.get_logger(__name__)


async def is_breached(settings: Settings, password: str) -> bool:
    """Return whether BREACHED_PASSWORDS_URL knows a password. During an outage, return False."""
    if settings.breached_passwords_url is None:
        return False
    digest = hashlib.sha1(normalized(password).encode(), usedforsecurity=False).hexdigest().upper()
    prefix, suffix = digest[:PREFIX_LENGTH], digest[PREFIX_LENGTH:]
    hashes = await _fetch(f"{str(settings.breached_passwords_url).rstrip('/')}/{prefix}")
    return any(_matches(line, suffix) for line in hashes.splitlines())


async def _fetch(url: str) -> str:
    # Most deployments do not use the service, and the library is slow to import.
    import httpx2  # noqa: PLC0415

    from app.core.outgoing import sending_requests  # noqa: PLC0415  it imports httpx2

    try:
        async with httpx2.AsyncClient(timeout=TIMEOUT, verify=_certificates()) as client:
            with sending_requests():
                response = await client.get(url, headers={"Add-Padding": "true"})
            return response.raise_for_status().text
    except (httpx2.HTTPError, httpx2.InvalidURL, UnicodeError) as error:
        log.warning(
            "breached_passwords.unavailable",
            error=f"{type(error).__name__}: {error}".replace(url, "…"),
            consequence="the password was not checked for data breaches",
        )
        return ""


def _matches(line: str, suffix: str) -> bool:
    """Return whether a line such as `0018A45C4D1DEF81644B54AB7F969B88D65:3` has this suffix."""
    found, _, count = line.strip().partition(":")
    return found.upper() == suffix and count != "0"  # padding has a count of 0


@cache
def _certificates() -> SSLContext:
    """Load the certificates of all authorities once, because this is slow."""
    import httpx2  # noqa: PLC0415

    return httpx2.create_ssl_context()
