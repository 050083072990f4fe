from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from app.core.exceptions import Conflict, NotFound
from app.core.unit_of_work import UnitOfWork
from app.models import User
from app.services.page import Page, page_of


class UserNotFound(NotFound):
    def __init__(self) -> None:
        super().__init__("User not found")


class EmailTaken(Conflict):
    def __init__(self) -> None:
        super().__init__("User with this email already exists")


class UserService:
    """Users as rows: who they are, and that no two have one address."""

    def __init__(self, uow: UnitOfWork) -> None:
        self.uow = uow

    async def get(self, user_id: UUID) -> User:
        """Raises UserNotFound."""
        user = await self.uow.session.get(User, user_id)
        if user is None:
            raise UserNotFound
        return user

    async def find_by_email(self, email: str) -> User | None:
        """Find a user by address, whatever its case; what PostgreSQL cannot hold, nobody has."""
        if "\x00" in email:
            return None
        return await self.uow.session.scalar(
            select(User).where(func.lower(User.email) == func.lower(email))
        )

    async def list(self, *, skip: int, limit: int) -> Page[User]:
        """Newest first; UUIDv7 keys sort by creation, so the primary key serves the order."""
        return await page_of(
            self.uow, select(User).order_by(User.id.desc()), skip=skip, limit=limit
        )

    async def save(self, user: User) -> User:
        """Write a new or changed user.

        Raises EmailTaken, by the unique index alone: a look-up before it would let two
        simultaneous sign-ups through. With a new user, the transaction can go on after it.
        """
        try:
            async with self.uow.session.begin_nested():
                self.uow.session.add(user)
        except IntegrityError as error:
            raise EmailTaken from error
        return user
