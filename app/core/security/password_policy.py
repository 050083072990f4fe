"""The password policy: passwords must be long, and not easy to guess (NIST SP 800-63B-4)."""

import re
import string
from collections.abc import Iterable, Iterator

from app.core.configuration.common_passwords import is_common_password
from app.core.exceptions import InvalidField
from app.core.security.passwords import MAX_PASSWORD_LENGTH, normalized

DECORATION = string.digits + string.punctuation + " "
MAX_DECORATION = 5
"""Up to this many digits and signs around a common word are ignored. More are hard to guess."""

MIN_WORD = 3


def check_password(
    password: str, *, min_length: int, about: Iterable[str | None] = (), field: str = "password"
) -> None:
    """Check a password. `about` has facts about its owner, such as a name and an email address.

    Raises InvalidField, which names the field of the request.
    """
    password = normalized(password)
    if len(password) < min_length:
        raise InvalidField(field, f"Password should have at least {min_length} characters")
    if len(password) > MAX_PASSWORD_LENGTH:
        raise InvalidField(field, f"Password should have at most {MAX_PASSWORD_LENGTH} characters")
    forms = set(_forms(password))
    if any(map(is_common_password, forms)):
        raise InvalidField(field, "Password is too common")
    if forms & set(_words(about)):
        raise InvalidField(field, "Password is too similar to your name or email")


def _forms(password: str) -> Iterator[str]:
    """Yield a password in lower case, with and without the digits and signs around it."""
    folded = password.casefold()
    yield folded
    core = folded.strip(DECORATION)
    if core and len(folded) - len(core) <= MAX_DECORATION:
        yield core


def _words(about: Iterable[str | None]) -> Iterator[str]:
    for text in about:
        folded = normalized(text or "").casefold()
        words = [word for word in re.split(r"\W+|_", folded) if len(word) >= MIN_WORD]
        yield from (folded, folded.partition("@")[0], "".join(words), *words)
