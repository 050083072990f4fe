"""The normalized form of email addresses, for comparisons in Python and in PostgreSQL."""

import unicodedata

from pydantic import validate_email

MAX_LENGTH = 1_024
"""In characters. No user has a longer address, and normalizing a text takes quadratic time."""


def normalized_email(email: str) -> str:
    """Return the form in which addresses are compared and counted.

    It is in lower case, and in NFKC, which replaces characters such as full-width letters.
    PostgreSQL computes the same with `lower(email COLLATE "C")`, which changes only ASCII letters
    and does not depend on the locale. `storable_email` has already changed all other characters.
    """
    email = email.strip()
    return email if len(email) > MAX_LENGTH else _folded(_folded(email))


def mailbox_of(email: str) -> str:
    """Return the probable mailbox of an address, for limits on emails.

    Large providers deliver `a.da+news@` and `ada@` to the same mailbox. With other providers, the
    two addresses share only their limits. They are different accounts.
    """
    name, at, domain = normalized_email(email).rpartition("@")
    return name.partition("+")[0].replace(".", "") + at + domain


def storable_email(email: str) -> str:
    """Return an address as it is stored: unchanged if its name is ASCII, or else normalized.

    Raise ValueError if the normalized form is not a valid address.
    """
    name, _, _ = email.rpartition("@")
    if name.isascii():
        return email
    return validate_email(normalized_email(email))[1]


def _folded(text: str) -> str:
    # Normalize twice, because the result of `lower` may not be in NFKC.
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).lower())
