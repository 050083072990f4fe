"""Generated secrets are accepted, and secrets that can be guessed are rejected."""

import base64
import string
from collections.abc import Callable
from random import Random

import pytest

from app.core.configuration.strength import weakness

GENERATED = 1_500
"""Secrets of each kind. In total, there are more than 10,000."""

LETTERS = string.ascii_letters + string.digits
SIGNS = "!#%&()*+,-./:;=?@^_~"


def base64_of(data: bytes) -> str:
    return base64.b64encode(data).decode()


def urlsafe_of(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


GENERATORS: dict[str, Callable[[Random], str]] = {
    "secrets.token_urlsafe(48)": lambda random: urlsafe_of(random.randbytes(48)),
    "secrets.token_urlsafe(24)": lambda random: urlsafe_of(random.randbytes(24)),
    "openssl rand -hex 32": lambda random: random.randbytes(32).hex(),
    "openssl rand -hex 16": lambda random: random.randbytes(16).hex(),
    "openssl rand -base64 32": lambda random: base64_of(random.randbytes(32)),
    "a password manager": lambda random: "".join(random.choices(LETTERS, k=32)),
    "a password manager with signs": lambda random: "".join(random.choices(LETTERS + SIGNS, k=32)),
}
"""The ways in which manuals and tools generate secrets of at least 128 bits."""

GUESSABLE = [
    "",
    "short",
    "a" * 48,
    "ab" * 24,
    "abc" * 16,
    "0123456789" * 5,
    "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz",
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
    "zyxwvutsrqponmlkjihgfedcbazyxwvutsrqponmlkjihgfedcba",
    "qwertyuiopasdfghjklzxcvbnmqwertyuiopasdfghjklzxcvbnm",
    "a1b2c3d4e5f6g7h8i9j0k1l2m3n4o5p6q7r8s9t0u1v2w3x4",
    "changethischangethischangethischangethis",
    "change-me-please-change-me-please-change-me",
    "your-secret-key-goes-here-and-is-very-long",
    "replace_this_with_a_long_random_value_please",
    "super-secret-super-secret-super-secret-1",
    "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
    "${SECRET_KEY:-an-unexpanded-variable-of-a-file}",
    "<generate me with openssl rand -hex 32 please>",
    "correct horse battery staple insecure passphrase",
    "00000000000000000000000000000000000000000000000f",
    "passwordpasswordpasswordpasswordpassword",
    "Password1!Password1!Password1!Password1!",
    "deadbeefdeadbeefdeadbeefdeadbeefdeadbeefdeadbeef",
]


@pytest.mark.parametrize("generate", GENERATORS.values(), ids=GENERATORS)
def test_no_generated_secret_is_refused(generate: Callable[[Random], str]) -> None:
    random = Random(2026)  # noqa: S311  the same secrets in every run
    refused = [
        (secret, reason)
        for secret in (generate(random) for _ in range(GENERATED))
        if (reason := weakness(secret, min_length=32, known=("service", "app", "postgres")))
    ]

    assert refused == []


@pytest.mark.parametrize("secret", GUESSABLE, ids=lambda secret: secret[:16])
def test_every_guessable_secret_is_refused(secret: str) -> None:
    assert weakness(secret, min_length=32) is not None


@pytest.mark.parametrize("password", ["postgres", "service", "Service1", "app2026", "foobared"])
def test_a_password_that_repeats_a_name_or_a_manual_is_refused(password: str) -> None:
    assert weakness(password, min_length=5, known=("service", "app", "postgres")) is not None
