"""The account of the acting user."""

from functools import partial
from uuid import UUID

from sqlalchemy import bindparam, select

from app.core.exceptions import BadRequest
from app.core.security.attempts import Action, Attempt
from app.core.security.passwords import normalized
from app.models import Alert, Purpose, User
from app.schemas.user import UserPublic, UserUpdateMe
from app.services.admin_service import SuperuserCannotDeleteSelf
from app.services.alerts import notify
from app.services.audit import AuditTrail
from app.services.auth.actor import lock_actor, lock_user
from app.services.auth.devices import remember_device
from app.services.auth.email_token_service import EmailTokenService, InvalidToken
from app.services.auth.login_service import InactiveUser
from app.services.auth.reauthentication import verify_password
from app.services.auth.recent_credentials import RecentCredentials
from app.services.auth.revocation import Event, end_credentials
from app.services.confirmation import confirm_email
from app.services.email_change_service import EmailChangeService
from app.services.new_password import hash_new_password
from app.services.personal_data.deletion import request_deletion
from app.services.scope import Scope
from app.services.user_service import UserService

_OWNER = select(User.email, User.full_name, User.is_active).where(User.id == bindparam("user_id"))


class SamePassword(BadRequest):
    def __init__(self) -> None:
        super().__init__("New password cannot be the same as the current one")


class AccountService:
    """Hashes passwords before the transaction's first statement, so no connection is held."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.uow = scope.uow
        self.users = UserService(scope)
        self.tokens = EmailTokenService(scope)
        self.audit = AuditTrail(scope)

    def get(self) -> UserPublic:
        """Return the account of the acting user, which authentication has already read."""
        principal = self.scope.principal
        return UserPublic(
            id=principal.user_id,
            email=principal.email,
            full_name=principal.full_name,
            is_active=True,
            is_superuser=principal.is_superuser,
            created_at=principal.created_at,
        )

    async def update(self, data: UserUpdateMe) -> User:
        """Change the user's name or email. A new email must be confirmed with the link sent to it.

        A new email may raise RecentProofRequired, IncorrectPassword, TooManyAttempts, or
        EmailNotConfirmed.
        """
        changes = EmailChangeService(self.scope)
        new_email = data.email if data.email != self.scope.principal.email else None
        if new_email is not None:
            await changes.check(new_email, data.current_password)
        user = await lock_actor(self.scope)
        if "full_name" in data.given():
            user.full_name = data.full_name
        if new_email is not None:
            await changes.request(user, new_email)
        return await self.users.save(user)

    async def change_password(self, current: str, new: str) -> None:
        """Change the user's password, and end all sessions of the user.

        Raise IncorrectPassword, SamePassword, or InvalidField.
        """
        principal = self.scope.principal
        await verify_password(self.scope, current)
        if normalized(new) == normalized(current):
            raise SamePassword
        about = (principal.full_name, principal.email)
        password_hash = await hash_new_password(self.scope, new, about=about, field="new_password")
        user = await lock_actor(self.scope)
        user.password_hash = password_hash
        await self.uow.session.flush()
        await end_credentials(self.scope, user.id, Event.PASSWORD_CHANGE)
        await remember_device(self.scope, user)
        await notify(self.scope, user, Alert.PASSWORD_CHANGED)

    async def reset_password(self, token: str, new: str, *, remove_recent: bool = False) -> None:
        """Set a password with the token of an emailed link, and end an attacker's access.

        With `remove_recent`, also remove the credentials that were added recently. Raise
        InvalidToken, InactiveUser, or InvalidField.
        """
        user_id = await self._peek(Action.RESET, token, Purpose.RESET_PASSWORD)
        owner = await self.scope.reader.first(_OWNER, user_id=user_id)
        if owner is None:
            raise InvalidToken
        email, full_name, is_active = owner
        if not is_active:
            raise InactiveUser
        about = (full_name, email)
        password_hash = await hash_new_password(self.scope, new, about=about, field="new_password")
        user = await self._lock(user_id)
        emailed = await self.tokens.consume(token, Purpose.RESET_PASSWORD)
        if emailed.email != user.email:
            raise InvalidToken
        if not user.is_active:
            raise InactiveUser
        user.password_hash = password_hash
        await confirm_email(self.scope, user)
        await end_credentials(self.scope, user.id, Event.RESET)
        if remove_recent:
            await RecentCredentials(self.scope, user.id).remove()
        details = {"removed_recent": remove_recent}
        await notify(self.scope, user, Alert.PASSWORD_RESET, details, actor_id=user.id)
        # The reader of the email is the owner, so guesses by others must not block the login.
        self.uow.after_commit(partial(self.scope.throttle.reset, Action.LOGIN, str(user.id)))

    async def delete(self) -> None:
        """Log the user out everywhere, and delete the account after a grace period.

        Raise SuperuserCannotDeleteSelf.
        """
        if self.scope.principal.is_superuser:
            raise SuperuserCannotDeleteSelf
        user = await lock_actor(self.scope)
        if user.is_superuser:
            raise SuperuserCannotDeleteSelf
        await request_deletion(self.scope, user)

    async def verify_email(self, token: str) -> None:
        """Confirm the email that a link was sent to. A new email replaces the old one.

        Raise InvalidToken, or EmailTaken if another user has taken the new email in the meantime.
        """
        purposes = (Purpose.VERIFY_EMAIL, Purpose.CHANGE_EMAIL)
        user_id = await self._peek(Action.VERIFY, token, *purposes)
        user = await self._lock(user_id)
        emailed = await self.tokens.consume(token, *purposes)
        if emailed.purpose == Purpose.CHANGE_EMAIL:
            await EmailChangeService(self.scope).complete(user, emailed.email)
            return
        if emailed.email != user.email:
            raise InvalidToken
        await confirm_email(self.scope, user)
        self.audit.record("email.verified", user_id=user.id, actor_id=user.id)

    async def _peek(self, action: Action, token: str, *purposes: Purpose) -> UUID:
        """Return the user of a token. Wrong tokens count as attempts."""
        attempt = Attempt(action, self.scope.request.ip_address)
        async with self.scope.throttle.guess(attempt):
            return await self.tokens.peek(token, *purposes)

    async def _lock(self, user_id: UUID) -> User:
        user = await lock_user(self.scope, user_id)
        if user is None:
            raise InvalidToken
        return user
