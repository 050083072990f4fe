"""What a superuser does with other people's accounts."""

from datetime import UTC, datetime
from uuid import UUID

from app.core.config import Settings
from app.core.exceptions import Forbidden
from app.core.password_policy import check_password
from app.core.security import hash_password
from app.core.unit_of_work import UnitOfWork
from app.models import User
from app.schemas.jobs import SendEmailVerification, SendNewAccount
from app.schemas.user import UserCreate, UserUpdate
from app.services.audit import AuditTrail, Caller
from app.services.mailed_token_service import MailedTokenService
from app.services.second_factor_service import take_second_factor_away
from app.services.session_service import SessionService
from app.services.user_service import UserService


class SuperusersStay(Forbidden):
    def __init__(self) -> None:
        super().__init__("Super users are not allowed to delete themselves")


class AdminService:
    """`actor_id` is whoever acts; None stands for the command line."""

    def __init__(
        self, uow: UnitOfWork, settings: Settings, caller: Caller, actor_id: UUID | None
    ) -> None:
        self.uow = uow
        self.settings = settings
        self.actor_id = actor_id
        self.users = UserService(uow)
        self.sessions = SessionService(uow, settings, caller)
        self.audit = AuditTrail(uow, caller)

    async def create(self, wish: UserCreate) -> User:
        """Create a user; a mail invites them to choose a password of their own.

        Raises Unacceptable for a password that is easy to guess, and EmailTaken.
        """
        user = await self._create(wish)
        self.uow.enqueue(SendNewAccount(user_id=user.id))
        return user

    async def create_superuser(self, wish: UserCreate) -> User:
        """Create a superuser whose address an operator vouches for. Raises what `create` raises."""
        user = await self._create(wish)
        user.is_superuser, user.email_verified_at = True, datetime.now(UTC)
        return user

    async def update(self, user_id: UUID, wish: UserUpdate) -> User:
        """Change a user. A new password and a deactivation end all of their sessions.

        A new address has to be confirmed, and ends what was sent to the old one.

        Raises UserNotFound, Unacceptable and EmailTaken.
        """
        changes = wish.given()
        if wish.password is not None:
            # Hashed before the first query: no connection is held meanwhile.
            changes["password_hash"] = await self._accepted(
                wish.password.get_secret_value(), wish.full_name, wish.email
            )
            del changes["password"]
        user = await self.users.get(user_id)
        if wish.email is not None and wish.email != user.email:
            changes |= {"email_verified_at": None, "new_email": None}
            await MailedTokenService(self.uow).forget(user.id)
            self.uow.enqueue(SendEmailVerification(email=wish.email))
        for field, value in changes.items():
            setattr(user, field, value)
        await self.users.save(user)
        self.audit.record(
            "user.updated", user_id=user.id, actor_id=self.actor_id, fields=[*changes]
        )
        if wish.password is not None or wish.is_active is False:
            await self.sessions.end_all(user.id, actor_id=self.actor_id)
        return user

    async def delete(self, user_id: UUID) -> None:
        """Delete a user and all that is theirs. Raises UserNotFound and SuperusersStay."""
        user = await self.users.get(user_id)
        if user.id == self.actor_id:
            raise SuperusersStay
        await self.uow.session.delete(user)
        self.audit.record("user.deleted", user_id=user.id, actor_id=self.actor_id)

    async def remove_second_factor(self, user_id: UUID) -> None:
        """Take the second factor away from a user who has lost it.

        Raises UserNotFound and SecondFactorNotFound.
        """
        user = await self.users.get(user_id)
        await take_second_factor_away(
            self.uow, self.settings, self.audit, user.id, actor_id=self.actor_id
        )

    async def _create(self, wish: UserCreate) -> User:
        password_hash = await self._accepted(
            wish.password.get_secret_value(), wish.full_name, wish.email
        )
        user = User(**wish.model_dump(exclude={"password"}), password_hash=password_hash)
        await self.users.save(user)
        self.audit.record("user.created", user_id=user.id, actor_id=self.actor_id)
        return user

    async def _accepted(self, password: str, *about: str | None) -> str:
        check_password(password, min_length=self.settings.password_min_length, about=about)
        return await hash_password(password)
