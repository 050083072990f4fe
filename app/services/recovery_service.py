"""What a stranger may ask for by address. The answer never tells whether it has an account."""

from uuid import UUID

from app.core.exceptions import NotFound
from app.core.mailer import Mail
from app.core.resources import Resources
from app.core.throttle import Attempt
from app.core.unit_of_work import UnitOfWork
from app.models import Purpose
from app.schemas.jobs import SendEmailVerification, SendPasswordRecovery
from app.services.audit import AuditTrail, Caller
from app.services.mailed_token_service import MailedTokenService
from app.services.mails import recovery_mail
from app.services.user_service import UserService


class NobodyByThatName(NotFound):
    def __init__(self) -> None:
        super().__init__("The user with this username does not exist in the system.")


class RecoveryService:
    def __init__(self, uow: UnitOfWork, resources: Resources, caller: Caller) -> None:
        self.uow = uow
        self.settings = resources.settings
        self.throttle = resources.throttle
        self.caller = caller

    async def ask_for_recovery(self, email: str) -> None:
        """Have a link mailed that resets the password, if there is somebody to mail it to.

        The look-up is the job's: here, it would show in the time of the answer.
        """
        await self.throttle.count(Attempt("recovery", self.caller.address, email))
        self.uow.enqueue(SendPasswordRecovery(email=email))

    async def ask_for_verification(self, email: str) -> None:
        """Have the link that confirms an address mailed once more."""
        await self.throttle.count(Attempt("verification", self.caller.address, email))
        self.uow.enqueue(SendEmailVerification(email=email))

    async def preview_recovery(self, email: str, *, actor_id: UUID) -> Mail:
        """Write the mail that resets a user's password, but do not send it.

        Raises NobodyByThatName.
        """
        user = await UserService(self.uow).find_by_email(email)
        if user is None:
            raise NobodyByThatName
        token = await MailedTokenService(self.uow).mint(
            user.id,
            Purpose.RESET_PASSWORD,
            email=user.email,
            lifetime=self.settings.recovery_link_lifetime,
        )
        trail = AuditTrail(self.uow, self.caller)
        trail.record("password.recovery_previewed", user_id=user.id, actor_id=actor_id)
        return recovery_mail(user, self.settings, token)
