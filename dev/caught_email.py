"""A caught email. Its content comes from outside, so nothing in it may be trusted or raise."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import Message
from functools import cached_property
from pathlib import Path

ENVELOPE_FROM = "X-Envelope-From"
ENVELOPE_TO = "X-Envelope-To"


@dataclass(frozen=True)
class CaughtEmail:
    """One `.eml` file; its name is the time of arrival in nanoseconds."""

    path: Path

    @property
    def id(self) -> str:
        """Return the name of the email in the inbox."""
        return self.path.stem

    @property
    def received_at(self) -> datetime:
        """Return the time of arrival, in UTC."""
        return datetime.fromtimestamp(int(self.path.stem) / 1e9, UTC)

    @cached_property
    def message(self) -> Message:
        """Return what was sent, with the envelope as its first two headers."""
        return message_from_bytes(self.path.read_bytes())

    @property
    def sender(self) -> str:
        """Return the sender that the envelope names."""
        return self.header(ENVELOPE_FROM)

    @property
    def to(self) -> list[str]:
        """Return the recipients of the envelope, including blind copies."""
        return self.header(ENVELOPE_TO).split(", ")

    @property
    def subject(self) -> str:
        """Return the decoded subject."""
        return self.header("Subject")

    @property
    def message_id(self) -> str:
        """Return the Message-ID with its angle brackets."""
        return self.header("Message-ID").strip()

    @property
    def text(self) -> str | None:
        """Return the first plain-text part."""
        return self._part("text/plain")

    @property
    def html(self) -> str | None:
        """Return the first HTML part."""
        return self._part("text/html")

    def header(self, name: str) -> str:
        """Return a header, decoded as far as possible. A missing header is empty."""
        return _decoded(str(self.message.get(name, "")))

    def headers(self) -> Iterator[tuple[str, str]]:
        """Yield all headers, decoded."""
        return ((name, _decoded(str(value))) for name, value in self.message.raw_items())

    def _part(self, content_type: str) -> str | None:
        for part in self.message.walk():
            if part.get_content_type() == content_type:
                content = part.get_payload(decode=True)
                if isinstance(content, bytes):
                    return _text(content, part.get_content_charset("utf-8"))
        return None


def _decoded(value: str) -> str:
    value = re.sub(r"\r?\n(?=[ \t])", "", value)  # a long header is folded into several lines
    try:
        decoded = str(make_header(decode_header(value)))
    except (HeaderParseError, LookupError, ValueError):
        decoded = value
    # Control characters would control the terminal, and lone surrogates cannot be encoded.
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in decoded)


def _text(content: bytes, charset: str) -> str:
    try:
        return content.decode(charset, errors="replace")
    except (LookupError, ValueError):
        return content.decode(errors="replace")
