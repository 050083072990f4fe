from uuid import UUID

from sqlalchemy import bindparam, select
from sqlalchemy.exc import IntegrityError

from app.core.exceptions import Conflict, NotFound
from app.core.security.email_addresses import normalized_email
from app.models import User
from app.schemas.user import UserPublic, UsersPublic
from app.services.auth.principal import NotEnoughPrivileges
from app.services.columns import insert_unless_taken_as, select_as
from app.services.scope import Scope

_USERS = select_as(UserPublic, User)
_ADD = insert_unless_taken_as(UserPublic, User)
_BY_ID = _USERS.where(User.id == bindparam("user_id"))
_NEWEST_FIRST = _USERS.order_by(User.id.desc())
# A range and not LIKE: the plan of a prepared statement can use the index for it.
_BY_EMAIL_PREFIX = _NEWEST_FIRST.where(
    User.normalized_email >= bindparam("first"), User.normalized_email < bindparam("last")
)

LAST_CHARACTER = "\U0010ffff"


class UserNotFound(NotFound):
    def __init__(self, text: str = "User not found") -> None:
        super().__init__(text)


class EmailTaken(Conflict):
    def __init__(self, text: str = "User with this email already exists") -> None:
        super().__init__(text)


class AccountExists(EmailTaken):
    def __init__(self) -> None:
        super().__init__("The user with this email already exists in the system")


class UserService:
    """Rows of users. No two users have the same email address."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    async def get(self, user_id: UUID) -> User:
        """Raise UserNotFound."""
        user = await self.scope.uow.session.get(User, user_id)
        if user is None:
            raise UserNotFound
        return user

    async def read(self, user_id: UUID) -> UserPublic:
        """Raise NotEnoughPrivileges for another user, or UserNotFound."""
        user = await self.scope.reader.one(UserPublic, _BY_ID, user_id=user_id)
        if not self.scope.principal.owns(user_id):
            raise NotEnoughPrivileges
        if user is None:
            raise UserNotFound
        return user

    async def find_by_email(self, email: str) -> User | None:
        """Find a user by the normalized form of an email."""
        if "\x00" in email:  # PostgreSQL cannot store it, so no user has it.
            return None
        return await self.scope.uow.session.scalar(
            select(User).where(User.normalized_email == normalized_email(email))
        )

    async def list(self, *, skip: int, limit: int) -> UsersPublic:
        """List users, newest first: UUIDv7 keys sort by creation."""
        return await self.scope.reader.page(UsersPublic, _NEWEST_FIRST, skip=skip, limit=limit)

    async def search(self, text: str, *, skip: int, limit: int) -> UsersPublic:
        """List the users whose email begins with a text, or the user with this id."""
        reader, paging = self.scope.reader, {"skip": skip, "limit": limit}
        if (user_id := _as_id(text)) is not None:
            return await reader.page(UsersPublic, _BY_ID, user_id=user_id, **paging)
        first = normalized_email(text.replace("\x00", ""))
        last = first + LAST_CHARACTER
        return await reader.page(UsersPublic, _BY_EMAIL_PREFIX, first=first, last=last, **paging)

    async def add(self, *, email: str, full_name: str | None, password_hash: str) -> UserPublic:
        """Store a new user. Raise AccountExists, after which the transaction stays usable.

        The unique index decides, because a lookup before the write would let two simultaneous
        sign-ups through.
        """
        user = await self.scope.uow.insert_unless_taken(
            UserPublic, _ADD, email=email, full_name=full_name, password_hash=password_hash
        )
        if user is None:
            raise AccountExists
        return user

    async def save(self, user: User) -> User:
        """Store a new or changed user. Raise EmailTaken.

        The transaction stays usable after EmailTaken. The unique index decides, because a lookup
        before the write would let two simultaneous sign-ups through.
        """
        session = self.scope.uow.session
        taken = AccountExists if user not in session else EmailTaken
        try:
            async with session.begin_nested():
                session.add(user)
        except IntegrityError as error:
            raise taken from error
        return user


def _as_id(text: str) -> UUID | None:
    try:
        return UUID(text.strip())
    except ValueError:
        return None
