"""What a refusal of an SMTP server is about: this message, or our login, sender, or quota.

Servers use the same codes for both. The enhanced status code (RFC 3463) decides where there is one,
then the step that was refused, then the words.
"""

import re

from aiosmtplib import (
    SMTPDataError,
    SMTPException,
    SMTPRecipientRefused,
    SMTPRecipientsRefused,
    SMTPResponseException,
)

PERMANENT = 500
"""Codes from here on mean that the same command will fail again (RFC 5321, 4.2.1)."""

ENHANCED = re.compile(r"\b5\.\d{1,3}\.\d{1,3}\b")

UNDELIVERABLE = re.compile(
    # The recipient's address, mailbox, or domain; the size, format, or content of the message.
    r"5\.1\.([0-346]|10) | 5\.2\.[013] | 5\.3\.4 | 5\.4\.[14] | 5\.6\.\d+",
    re.VERBOSE,
)
REJECTED_CONTENT = re.compile(r"5\.7\.[01]")
"""Final for a message, but not for a recipient: there it mostly means that we may not relay."""

RECIPIENT_CODES = {501, 550, 551, 553, 554, 556}
MESSAGE_CODES = {550, 552, 553, 554}

ABOUT_US = re.compile(
    r"""relay | auth | log[ ]?in | credential | sender | from[ ]address | verif | not[ ]allowed
    | quota | limit | throttl | credit | exceed | suspend | billing | payment
    | block(ed|list) | blacklist | reputation | spf | dkim | dmarc | storage | full""",
    re.VERBOSE | re.IGNORECASE,
)
"""Words of a refusal that the operator can cure: the same message is accepted afterwards."""


def is_undeliverable(error: SMTPException) -> bool:
    """Return whether this message will never be accepted, whatever the operator changes."""
    if isinstance(error, SMTPRecipientsRefused):
        return all(map(is_undeliverable, error.recipients))
    if not (isinstance(error, SMTPResponseException) and error.code >= PERMANENT):
        return False
    if enhanced := ENHANCED.search(error.message):
        return _is_undeliverable_by_status(enhanced[0], error)
    if isinstance(error, SMTPRecipientRefused):
        return error.code in RECIPIENT_CODES and not ABOUT_US.search(error.message)
    if isinstance(error, SMTPDataError):
        too_large = "size" in error.message.lower()
        return error.code in MESSAGE_CODES and (too_large or not ABOUT_US.search(error.message))
    return False


def is_permanent(error: SMTPException) -> bool:
    """Return whether the server would answer the same again."""
    if isinstance(error, SMTPRecipientsRefused):
        return all(map(is_permanent, error.recipients))
    if type(error) is SMTPException:
        return True  # STARTTLS or AUTH, which we ask for and the server does not offer
    return isinstance(error, SMTPResponseException) and error.code >= PERMANENT


def _is_undeliverable_by_status(status: str, error: SMTPResponseException) -> bool:
    if UNDELIVERABLE.fullmatch(status):
        return True
    is_content = isinstance(error, SMTPDataError) and REJECTED_CONTENT.fullmatch(status)
    return bool(is_content and not ABOUT_US.search(error.message))
