"""Emails that anyone may request. The response never reveals whether a user has the address."""

from app.core.exceptions import NotFound
from app.core.mailer import EmailMessage
from app.core.security.attempts import Action, Attempt
from app.core.security.email_addresses import mailbox_of
from app.schemas.jobs import SendEmailVerification, SendPasswordRecovery
from app.services.administrators import lock_administrators
from app.services.audit import AuditTrail
from app.services.auth.login_service import InactiveUser
from app.services.emails.composer import compose
from app.services.emails.draft import NothingToSend
from app.services.scope import Scope
from app.services.user_service import UserService


class UsernameNotFound(NotFound):
    def __init__(self) -> None:
        super().__init__("The user with this username does not exist in the system.")


class RecoveryService:
    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    async def request_recovery(self, email: str) -> None:
        """Send a link that resets the password, if a user has this email.

        The job looks the user up, because a lookup here would be visible in the response time.
        """
        await self._count(Action.RECOVERY, email)
        self.scope.uow.enqueue(SendPasswordRecovery(email=email))

    async def request_verification(self, email: str) -> None:
        """Send the link that confirms an email again, if the address is still unconfirmed."""
        await self._count(Action.VERIFICATION, email)
        self.scope.uow.enqueue(SendEmailVerification(email=email))

    async def preview_recovery(self, email: str) -> EmailMessage:
        """Compose the email that resets a user's password, without sending it.

        Raise UsernameNotFound or InactiveUser. The link opens the account, so raise
        NotEnoughPrivileges if the acting superuser was demoted in the meantime.
        """
        await lock_administrators(self.scope)
        user = await UserService(self.scope).find_by_email(email)
        if user is None:
            raise UsernameNotFound
        try:
            preview = await compose(self.scope, SendPasswordRecovery(email=user.email))
        except NothingToSend as reason:
            raise InactiveUser from reason
        AuditTrail(self.scope).record(
            "password.recovery_previewed", user_id=user.id, actor_id=self.scope.actor_id
        )
        return preview

    async def _count(self, action: Action, email: str) -> None:
        # By email, not by user: a lookup of the user would be visible in the response time.
        account = mailbox_of(email)
        await self.scope.throttle.count(Attempt(action, self.scope.request.ip_address, account))
