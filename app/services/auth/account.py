from datetime import datetime
from typing import Protocol
from uuid import UUID


class Account(Protocol):
    """The part of a user that a login needs: a `User`, or a row with these columns."""

    @property
    def id(self) -> UUID: ...
    @property
    def email(self) -> str: ...
    @property
    def email_verified_at(self) -> datetime | None: ...
    @property
    def is_active(self) -> bool: ...
    @property
    def deletion_due_at(self) -> datetime | None: ...
