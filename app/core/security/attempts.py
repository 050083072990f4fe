"""Limited attempts, and the counters of each."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from hashlib import sha256
from ipaddress import IPv6Address, ip_address, ip_network

from app.core.config import Settings
from app.core.configuration.types import AttemptLimits


class Action(StrEnum):
    """The kind of an attempt. Each kind has its own counters."""

    LOGIN = "login"
    PASSWORD = "password"  # noqa: S105  an action
    PROVIDER_LOGIN = "oidc"
    PASSKEY = "passkey"
    SIGNUP = "signup"
    RECOVERY = "recovery"
    VERIFICATION = "verification"
    EMAIL_CHANGE = "email-change"
    TEST_EMAIL = "test-email"
    SECOND_FACTOR = "second-factor"
    RESET = "reset"
    VERIFY = "verify"
    REPORT = "report"
    PERSONAL_DATA = "personal-data"


EMAILS = {Action.RECOVERY, Action.VERIFICATION, Action.EMAIL_CHANGE, Action.TEST_EMAIL}
"""Requests that send an email to an address that the client names."""

CODES = {Action.SECOND_FACTOR, Action.RESET, Action.VERIFY, Action.REPORT, Action.PERSONAL_DATA}
"""Guesses of a code, or of the token of a link."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """An action from an IP address, on up to two known accounts.

    An account is named by the user's id if the user exists, or else by a normalized email.
    """

    action: Action
    ip_address: str
    account: str | None = None
    target: str | None = None
    """Another account that the attempt affects, such as the recipient of an email."""


@dataclass(frozen=True, slots=True)
class Counter:
    key: str
    limit: int


def counters_of(attempt: Attempt, settings: Settings) -> Iterator[Counter]:
    """Yield the counters of an attempt: for its accounts, its IP address, and its network."""
    limits = limits_of(attempt.action, settings)
    address, network = sources(attempt.ip_address)
    for account in (attempt.account, attempt.target):
        if account is not None:
            yield Counter(counter_key(attempt.action, "account", account), limits.account)
    yield Counter(counter_key(attempt.action, "address", address), limits.address)
    yield Counter(counter_key(attempt.action, "network", network), limits.network)


def limits_of(action: Action, settings: Settings) -> AttemptLimits:
    if action is Action.SIGNUP:
        return settings.throttle_signups
    if action in EMAILS:
        return settings.throttle_recoveries
    return settings.throttle_codes if action in CODES else settings.throttle_logins


@lru_cache(maxsize=4096)
def sources(client: str) -> tuple[str, str]:
    """Return the address and the network under which a client is counted.

    An IPv6 subscriber has at least a /64 network, whose 2^64 addresses count as one. Many have a
    /56 or a /48 network.
    """
    try:
        address = ip_address(client.partition("%")[0])
    except ValueError:  # such as "command line"
        return client, client
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    lengths = (64, 48) if address.version == 6 else (32, 24)  # noqa: PLR2004  the two versions
    subscriber, network = (ip_network((address, length), strict=False) for length in lengths)
    return str(subscriber), str(network)


def counter_key(action: Action, kind: str, subject: str) -> str:
    """Return the key of a counter. The hash keeps email addresses out of Redis."""
    digest = sha256(subject.encode(errors="replace")).hexdigest()
    return f"throttle:{action}:{kind}:{digest}"
