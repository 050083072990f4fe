"""Recognizes secrets that can be guessed: published, repetitive, or following a pattern."""

import re
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import pairwise

from app.core.configuration.common_passwords import is_common_password

PUBLISHED = {
    "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",  # FastAPI's tutorial
    "foobared",  # Redis's configuration file
}

PLACEHOLDER = re.compile(
    r"change.?(me|this|it)|replace.?(me|this|with)|your[-_ ]|secret|passw.?rd|pa55w|placeholder"
    r"|example|insecure|default|development|[<>\u2026]|\$\{",
    re.IGNORECASE,
)
"""Words of manuals. A random text hardly contains one: the shortest has five characters."""

PATTERNS = ("abcdefghijklmnopqrstuvwxyz", "01234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm")

MIN_DISTINCT = 8
"""Of ten million random texts of 32 hexadecimal digits, one has fewer distinct digits."""

MAX_REPEATED = 0.3
MAX_IN_PATTERN = 0.6
MAX_LAG = 3
"""The distance at which a pattern may continue, as in a1b2c3, if the secret is long."""


def weakness(secret: str, *, min_length: int, known: Iterable[str | None] = ()) -> str | None:
    """Return why a secret can be guessed, as the end of a sentence, or None for a strong one.

    `known` contains texts that an attacker would try first, such as the name of its user.
    """
    return next(_reasons(secret, min_length, known), None)


def _reasons(secret: str, min_length: int, known: Iterable[str | None]) -> Iterator[str]:
    folded = secret.casefold()
    if secret in PUBLISHED or is_common_password(folded):
        yield "is published"
    if PLACEHOLDER.search(secret):
        yield "is a placeholder"
    if folded.strip("0123456789") in {(name or "").casefold() for name in known}:
        yield "repeats the name beside it"
    if len(secret) < min_length:
        yield f"is shorter than {min_length} characters"
    if _repeats(folded):
        yield "repeats itself"
    if _follows_pattern(folded):
        yield "follows a pattern"


def _repeats(secret: str) -> bool:
    """Return whether the secret has few distinct characters or repeats its parts."""
    parts = [secret[i : i + 3] for i in range(len(secret) - 2)]
    repeated = 1 - len({*parts}) / max(len(parts), 1)
    return len({*secret}) < min(MIN_DISTINCT, len(secret) // 2) or repeated > MAX_REPEATED


def _follows_pattern(secret: str) -> bool:
    lags = range(1, min(max(len(secret) // 10, 1), MAX_LAG) + 1)
    return any(_share_in_pattern(secret, lag) > MAX_IN_PATTERN for lag in lags)


def _share_in_pattern(secret: str, lag: int) -> float:
    pairs = [*zip(secret, secret[lag:], strict=False)]
    return sum(pair in _neighbors() for pair in pairs) / max(len(pairs), 1)


@cache
def _neighbors() -> frozenset[tuple[str, str]]:
    """Return all pairs of characters that follow each other in the alphabet or on a keyboard."""
    forward = {pair for row in PATTERNS for pair in pairwise(row)}
    return frozenset(forward | {(after, before) for before, after in forward})
