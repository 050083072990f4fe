"""Administration of accounts by superusers, and by operators on the command line."""

from datetime import UTC, datetime
from uuid import UUID

from pydantic import JsonValue

from app.core.exceptions import Forbidden
from app.core.security.attempts import Action, Attempt
from app.core.security.email_addresses import mailbox_of
from app.models import Alert, User
from app.schemas.jobs import (
    SendAccountDeleted,
    SendEmailVerification,
    SendNewAccount,
    SendTestEmail,
)
from app.schemas.user import UserCreate, UserUpdate
from app.services.administrators import lock_account, lock_administrators
from app.services.alerts import notify
from app.services.audit import AuditTrail
from app.services.auth.revocation import Event, end_credentials
from app.services.auth.second_factor_service import SecondFactorService
from app.services.new_password import hash_new_password
from app.services.personal_data.deletion import cancel_deletion, delete_account
from app.services.scope import Scope
from app.services.user_service import UserNotFound, UserService


class SuperuserCannotDeleteSelf(Forbidden):
    def __init__(self) -> None:
        super().__init__("Super users are not allowed to delete themselves")


class AdminService:
    """Manages accounts. A scope without an actor belongs to an operator on the command line."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.uow = scope.uow
        self.users = UserService(scope)
        self.audit = AuditTrail(scope)

    async def create(self, data: UserCreate) -> User:
        """Create a user, and send an email that invites them to choose their own password.

        Raise InvalidField for a weak password, or EmailTaken.
        """
        user = await self._create(data)
        self.uow.enqueue(SendNewAccount(user_id=user.id, email=user.email))
        return user

    async def create_superuser(self, data: UserCreate) -> User:
        """Create a superuser with a confirmed email. Raise what `create` raises."""
        user = await self._create(data)
        user.is_superuser, user.email_verified_at = True, datetime.now(UTC)
        return user

    async def update(self, user_id: UUID, data: UserUpdate) -> User:
        """Change a user. A new password, a new email, and a deactivation end credentials.

        A new email must be confirmed again. Raise UserNotFound, InvalidField, EmailTaken, or
        LastSuperuser.
        """
        changes = data.given()
        if data.password is not None:
            # Hash before the first statement, so that no connection is held.
            changes["password_hash"] = await hash_new_password(
                self.scope, data.password.get_secret_value(), about=(data.full_name, data.email)
            )
            del changes["password"]
        keeps_superuser = data.is_superuser is not False and data.is_active is not False
        try:
            user = await lock_account(self.scope, user_id, keeps_superuser=keeps_superuser)
        except UserNotFound:
            raise UserNotFound("The user with this id does not exist in the system") from None
        old_email, was_superuser = user.email, user.is_superuser
        if data.email is not None and data.email != old_email:
            changes["email_verified_at"] = None
        for field, value in changes.items():
            setattr(user, field, value)
        await self.users.save(user)
        self._record("user.updated", user.id, fields=[*changes])
        if user.is_superuser and not was_superuser:
            await self._promote(user)
        await self._end_credentials(user, data, old_email)
        return user

    async def _promote(self, user: User) -> None:
        """Cancel a deletion of the account, and notify the user as for a new role."""
        await cancel_deletion(self.scope, user)
        await notify(self.scope, user, Alert.NEW_ROLE, {"role": "superuser"})

    async def _end_credentials(self, user: User, data: UserUpdate, old_email: str) -> None:
        """End the credentials that the changes end, and notify the user."""
        if user.email != old_email:
            await end_credentials(self.scope, user.id, Event.EMAIL_CHANGE_BY_ADMIN)
            await notify(self.scope, user, Alert.EMAIL_CHANGED, email=old_email)
            self.uow.enqueue(SendEmailVerification(email=user.email))
        if data.password is not None:
            await end_credentials(self.scope, user.id, Event.RESET)
            await notify(self.scope, user, Alert.PASSWORD_RESET)
        if data.is_active is False:
            await end_credentials(self.scope, user.id, Event.DEACTIVATION)

    async def delete(self, user_id: UUID) -> None:
        """Delete a user with everything they own.

        Raise UserNotFound, SuperuserCannotDeleteSelf, or LastSuperuser.
        """
        if user_id == self.scope.actor_id:
            raise SuperuserCannotDeleteSelf
        user = await lock_account(self.scope, user_id, keeps_superuser=False)
        email = user.email
        await delete_account(self.scope, user, actor_id=self.scope.actor_id)
        self.uow.enqueue(SendAccountDeleted(email=email))

    async def remove_second_factor(self, user_id: UUID) -> None:
        """Remove the second factor of a user who has lost it.

        Raise UserNotFound or SecondFactorNotFound.
        """
        user = await lock_account(self.scope, user_id, keeps_superuser=True)
        await SecondFactorService(self.scope).remove(user)

    async def send_test_email(self, email: str) -> None:
        """Send an email that proves that sending works. Raise TooManyAttempts."""
        await self.scope.throttle.count(
            Attempt(
                Action.TEST_EMAIL,
                self.scope.request.ip_address,
                account=str(self.scope.actor_id),
                target=mailbox_of(email),
            )
        )
        self.uow.enqueue(SendTestEmail(email=email))

    async def _create(self, data: UserCreate) -> User:
        password_hash = await hash_new_password(
            self.scope, data.password.get_secret_value(), about=(data.full_name, data.email)
        )
        await lock_administrators(self.scope)
        user = User(**data.model_dump(exclude={"password"}), password_hash=password_hash)
        await self.users.save(user)
        self._record("user.created", user.id)
        return user

    def _record(self, event: str, user_id: UUID, **details: JsonValue) -> None:
        self.audit.record(event, user_id=user_id, actor_id=self.scope.actor_id, **details)
