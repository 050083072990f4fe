"""The interface of error reports, which does not import the SDK."""

from collections.abc import Mapping
from typing import Protocol
from uuid import UUID

Tags = Mapping[str, str | int | None]


class Reporter(Protocol):
    def report(self, error: BaseException, tags: Tags, user_id: UUID | None) -> None:
        """Send a report in the background."""
