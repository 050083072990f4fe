from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from app.core.exceptions import Conflict, NotFound
from app.core.security import hash_password
from app.core.unit_of_work import UnitOfWork
from app.models import User
from app.schemas.jobs import SendWelcomeEmail
from app.schemas.user import UserRegister


class UserNotFound(NotFound):
    def __init__(self) -> None:
        super().__init__("User not found")


class EmailTaken(Conflict):
    def __init__(self) -> None:
        super().__init__("User with this email already exists")


@dataclass(frozen=True, slots=True)
class UserPage:
    data: Sequence[User]
    count: int


class UserService:
    def __init__(self, uow: UnitOfWork) -> None:
        self.uow = uow

    async def sign_up(self, registration: UserRegister) -> User:
        """Create a user and have them welcomed by e-mail.

        Raises EmailTaken, by the unique index alone: a look-up before it would let two
        simultaneous sign-ups through.
        """
        # Before the first query: no connection is held while the hash is computed.
        password_hash = await hash_password(registration.password.get_secret_value())
        user = User(
            email=registration.email,
            full_name=registration.full_name,
            password_hash=password_hash,
        )
        self.uow.session.add(user)
        try:
            await self.uow.session.flush()
        except IntegrityError as error:
            raise EmailTaken from error
        self.uow.enqueue(SendWelcomeEmail(user_id=user.id))
        return user

    async def get(self, user_id: UUID) -> User:
        """Raises UserNotFound."""
        user = await self.uow.session.get(User, user_id)
        if user is None:
            raise UserNotFound
        return user

    async def list(self, *, skip: int, limit: int) -> UserPage:
        """Newest first; UUIDv7 keys sort by creation, so the primary key serves the order."""
        users = await self.uow.session.scalars(
            select(User).order_by(User.id.desc()).offset(skip).limit(limit)
        )
        count = await self.uow.session.scalar(select(func.count()).select_from(User))
        return UserPage(users.all(), count or 0)
