from dataclasses import dataclass
from uuid import UUID

from app.core.exceptions import Forbidden
from app.models import User


class NotEnoughPermissions(Forbidden):
    def __init__(self) -> None:
        super().__init__("Not enough permissions")


class NotEnoughPrivileges(Forbidden):
    def __init__(self) -> None:
        super().__init__("The user doesn't have enough privileges")


@dataclass(frozen=True, slots=True)
class Principal:
    """Who acts in a request: a user, within a session or with less than all that they may do.

    `scopes` are the only permissions that count; None leaves all that the user has.
    """

    user: User
    session_id: UUID | None = None
    scopes: frozenset[str] | None = None

    @property
    def is_program(self) -> bool:
        """Tell whether it is not the user, but a program with a key of theirs."""
        return self.scopes is not None

    def covers(self, permission: str) -> bool:
        """Tell whether the scopes leave room for a permission that the user may have."""
        return self.scopes is None or permission in self.scopes

    def owns(self, owner_id: UUID | None) -> bool:
        """Tell whether something belongs to the user; a superuser's is everything."""
        return (self.user.is_superuser and not self.is_program) or owner_id == self.user.id
