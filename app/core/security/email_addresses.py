"""The one form in which email addresses are compared, in Python and in PostgreSQL."""

import unicodedata

from pydantic import validate_email


def normalized_email(email: str) -> str:
    """Return the form in which an address is compared and counted.

    It has no capitals, and no characters that only look different (NFKC): full-width letters are
    letters. PostgreSQL computes the same with `lower(email COLLATE "C")`, which changes ASCII
    letters only and so does not depend on its locale, because `storable_email` has changed the
    others before.
    """
    return _folded(_folded(email.strip()))


def mailbox_of(email: str) -> str:
    """Return the mailbox that an address probably leads to, for limits on emails.

    Large providers deliver `a.da+news@` and `ada@` to one person. Where another does not, the two
    share a limit, and nothing else: they remain different accounts.
    """
    name, at, domain = normalized_email(email).rpartition("@")
    return name.partition("+")[0].replace(".", "") + at + domain


def storable_email(email: str) -> str:
    """Return an address as it is stored: as the user writes it, if it is written in ASCII.

    Raise ValueError where its normalized form is no address.
    """
    name, _, _ = email.rpartition("@")
    if name.isascii():
        return email
    return validate_email(normalized_email(email))[1]


def _folded(text: str) -> str:
    # Twice: lower case may need another composition, and a composition another lower case.
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).lower())
