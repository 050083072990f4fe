"""What sends reports of errors, without the SDK that does it."""

from collections.abc import Mapping
from typing import Protocol
from uuid import UUID

Tags = Mapping[str, str | int | None]


class Reporter(Protocol):
    def report(self, error: BaseException, tags: Tags, user_id: UUID | None) -> None:
        """Send a report in the background."""
