"""The types of settings, with their parsers and checks."""

import json
import re
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, NamedTuple

from pydantic import (
    AfterValidator,
    BeforeValidator,
    NameEmail,
    PositiveInt,
    SecretStr,
    validate_email,
)
from pydantic_settings import NoDecode

from app.core.urls.postgres import PostgresAddress
from app.core.urls.redis import RedisAddress


def _postgres_url(value: str) -> str:
    """Return the URL for SQLAlchemy. Raises ValueError for a parameter without an effect."""
    return PostgresAddress.parse(value).url_of_sqlalchemy


def _redis_url(value: str) -> str:
    RedisAddress.parse(value)
    return value


def _lower_case(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _comma_separated(value: str | list[str]) -> list[str]:
    if isinstance(value, str):
        if value.startswith('["'):  # a JSON list, which other projects use
            return [*json.loads(value)]
        return [item.strip() for item in value.split(",") if item.strip()]
    return value


def _origins(values: list[str]) -> list[str]:
    """Reject values that no browser sends as its Origin, because they would never match."""
    if not all(re.fullmatch(r"\*|https?://[^/\s@]+", value) for value in values):
        raise ValueError("must be origins such as https://app.example.com, without a path")
    return values


def _hosts(values: list[str]) -> list[str]:
    hosts = [value.lower() for value in values]
    if not all(re.fullmatch(r"(\*\.)?[a-z0-9_.-]+|\[[0-9a-f:.]+\]", host) for host in hosts):
        raise ValueError("must be host names, without scheme and port, or such as *.example.com")
    return hosts


def _mailbox(value: object) -> object:
    """Parse a name and an address, with or without the quotes of a header."""
    match = re.fullmatch(r"(.*)<([^<>]+)>", value.strip()) if isinstance(value, str) else None
    if match is None:
        return value
    name = match[1].strip()
    if quoted := re.fullmatch(r'"(.*)"', name):
        name = re.sub(r"\\(.)", r"\1", quoted[1])
    return NameEmail(name, validate_email(match[2])[1])


def _numbers(value: object) -> object:
    """Split numbers that are separated by commas, or a JSON list of numbers."""
    return value.strip("[]").split(",") if isinstance(value, str) else value


class AttemptLimits(NamedTuple):
    """The number of attempts in a window per account, per IP address, and per network."""

    account: PositiveInt
    address: PositiveInt
    network: PositiveInt


PostgresUrl = Annotated[str, BeforeValidator(_postgres_url)]
RedisUrl = Annotated[str, BeforeValidator(_redis_url)]
Origins = Annotated[
    list[str], NoDecode, BeforeValidator(_comma_separated), AfterValidator(_origins)
]
Hosts = Annotated[list[str], NoDecode, BeforeValidator(_comma_separated), AfterValidator(_hosts)]
Networks = Annotated[list[IPv4Network | IPv6Network], NoDecode, BeforeValidator(_comma_separated)]
Secrets = Annotated[list[SecretStr], NoDecode, BeforeValidator(_comma_separated)]
Limits = Annotated[AttemptLimits, NoDecode, BeforeValidator(_numbers)]
Mailbox = Annotated[NameEmail, BeforeValidator(_mailbox)]
AnyCase = BeforeValidator(_lower_case)
