"""Limits of attempts."""

from app.core.configuration.types import AttemptLimits

UNLIMITED = 10**6


def limits(
    *, account: int = 10, address: int = UNLIMITED, network: int = UNLIMITED
) -> dict[str, object]:
    """Return settings with these limits for attempts of every kind."""
    names = ("throttle_logins", "throttle_signups", "throttle_recoveries", "throttle_codes")
    return dict.fromkeys(names, AttemptLimits(account, address, network))
