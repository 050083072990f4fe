"""Classifies refusals of an SMTP server: they concern a message, or the service as the sender.

Servers use the same codes for both. The enhanced status code (RFC 3463) decides if there is one,
then the step that was refused, then the words of the reply.
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
"""From this code on, the same command will fail again (RFC 5321, 4.2.1)."""

ENHANCED = re.compile(r"\b5\.\d{1,3}\.\d{1,3}\b")

UNDELIVERABLE = re.compile(
    # The recipient's address, mailbox, or domain; the size, format, or content of the message.
    r"5\.1\.([0-346]|10) | 5\.2\.[013] | 5\.3\.4 | 5\.4\.[14] | 5\.6\.\d+",
    re.VERBOSE,
)
REJECTED_CONTENT = re.compile(r"5\.7\.[01]")
"""Permanent for a message. For a recipient, it mostly means that this service may not relay."""

RECIPIENT_CODES = {501, 550, 551, 553, 554, 556}
MESSAGE_CODES = {550, 552, 553, 554}

ABOUT_SENDER = re.compile(
    r"""relay | auth | log[ ]?in | credential | sender | from[ ]address | verif | not[ ]allowed
    | quota | limit | throttl | credit | exceed | suspend | billing | payment
    | block(ed|list) | blacklist | reputation | spf | dkim | dmarc | storage | full""",
    re.VERBOSE | re.IGNORECASE,
)
"""Words of a refusal that the operator can fix, so that the same message is accepted later."""


def is_undeliverable(error: SMTPException) -> bool:
    """Return whether the server will never accept this message, even with other settings."""
    if isinstance(error, SMTPRecipientsRefused):
        return all(map(is_undeliverable, error.recipients))
    if not (isinstance(error, SMTPResponseException) and error.code >= PERMANENT):
        return False
    if enhanced := ENHANCED.search(error.message):
        return _is_undeliverable_by_status(enhanced[0], error)
    if isinstance(error, SMTPRecipientRefused):
        return error.code in RECIPIENT_CODES and not ABOUT_SENDER.search(error.message)
    if isinstance(error, SMTPDataError):
        too_large = "size" in error.message.lower()
        return error.code in MESSAGE_CODES and (too_large or not ABOUT_SENDER.search(error.message))
    return False


def is_permanent(error: SMTPException) -> bool:
    """Return whether the server would refuse the same command again."""
    if isinstance(error, SMTPRecipientsRefused):
        return all(map(is_permanent, error.recipients))
    if type(error) is SMTPException:
        return True  # the server does not offer STARTTLS or AUTH, which the settings require
    return isinstance(error, SMTPResponseException) and error.code >= PERMANENT


def _is_undeliverable_by_status(status: str, error: SMTPResponseException) -> bool:
    if UNDELIVERABLE.fullmatch(status):
        return True
    is_content = isinstance(error, SMTPDataError) and REJECTED_CONTENT.fullmatch(status)
    return bool(is_content and not ABOUT_SENDER.search(error.message))
