"""Change of an account's address, which takes effect when the new address is confirmed."""

from datetime import UTC, datetime, timedelta

from pydantic import SecretStr

from app.core.exceptions import NotFound
from app.core.security.attempts import Action, Attempt
from app.core.security.email_addresses import mailbox_of
from app.models import Alert, User
from app.schemas.jobs import SendEmailChange
from app.schemas.user import PendingEmail
from app.services.alerts import notify
from app.services.audit import AuditTrail
from app.services.auth.actor import EmailNotConfirmed, lock_actor
from app.services.auth.email_token_service import InvalidToken
from app.services.auth.reauthentication import reauthenticate
from app.services.auth.revocation import Event, end_credentials
from app.services.scope import Scope
from app.services.user_service import UserService


class NoPendingEmail(NotFound):
    def __init__(self) -> None:
        super().__init__("No change of your email address is pending")


class EmailChangeService:
    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.uow = scope.uow
        self.users = UserService(scope)

    async def check(self, new_email: str, password: SecretStr | None) -> None:
        """Check, without holding a connection, that the user may request this address.

        Raise RecentProofRequired, IncorrectPassword, or TooManyAttempts. The limits prevent emails
        to many strangers, and many emails to one.
        """
        await self.scope.throttle.count(
            Attempt(
                Action.EMAIL_CHANGE,
                self.scope.request.ip_address,
                account=str(self.scope.principal.user_id),
                target=mailbox_of(new_email),
            )
        )
        await reauthenticate(self.scope, password)

    async def request(self, user: User, new_email: str) -> None:
        """Send a link to the new address, and an alert to the current one.

        The job looks up whether another user has the new address, so the response does not reveal
        it. Raise EmailNotConfirmed.
        """
        if user.email_verified_at is None:
            raise EmailNotConfirmed
        lifetime = timedelta(seconds=self.scope.settings.verification_link_lifetime)
        user.new_email, user.new_email_expires_at = new_email, datetime.now(UTC) + lifetime
        await notify(self.scope, user, Alert.EMAIL_CHANGE_REQUESTED)
        self.uow.enqueue(SendEmailChange(user_id=user.id, email=new_email))

    async def get(self) -> PendingEmail:
        """Return the unconfirmed new address. Raise NoPendingEmail."""
        user = await self.users.get(self.scope.principal.user_id)
        pending, expires_at = user.new_email, user.new_email_expires_at
        if pending is None or expires_at is None or expires_at <= datetime.now(UTC):
            raise NoPendingEmail
        return PendingEmail(email=pending, expires_at=expires_at)

    async def withdraw(self) -> None:
        """Keep the current address. Links to the new one stop working. Raise NoPendingEmail."""
        user = await lock_actor(self.scope)
        if user.new_email is None:
            raise NoPendingEmail
        await end_credentials(self.scope, user.id, Event.EMAIL_CHANGE_WITHDRAWN)
        AuditTrail(self.scope).record("email.change_withdrawn", user_id=user.id, actor_id=user.id)

    async def complete(self, user: User, new_email: str) -> None:
        """Replace the account's address with the confirmed one, and notify the old one.

        Raise InvalidToken if the new address is no longer pending, or EmailTaken.
        """
        if user.new_email != new_email:
            raise InvalidToken
        old_email = user.email
        user.email, user.email_verified_at = new_email, datetime.now(UTC)
        await self.users.save(user)
        # Links that were sent to the old address stop working.
        await end_credentials(self.scope, user.id, Event.EMAIL_CHANGE)
        await notify(self.scope, user, Alert.EMAIL_CHANGED, email=old_email, actor_id=user.id)
