from datetime import UTC, datetime

from uuid_utils.compat import uuid7

from app.core.security.attempts import Action, Attempt
from app.core.security.email_addresses import mailbox_of
from app.schemas.jobs import SendAccountExists, SendWelcomeEmail
from app.schemas.user import UserPublic, UserRegister
from app.services.audit import AuditTrail
from app.services.new_password import hash_new_password
from app.services.scope import Scope
from app.services.user_service import EmailTaken, UserService


class SignupService:
    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.uow = scope.uow

    async def sign_up(self, data: UserRegister) -> UserPublic:
        """Create a user, and send a welcome email with a link that confirms the email.

        Raise InvalidField for a weak password, or EmailTaken. If logins require a confirmed email,
        the response does not reveal that an email is taken: its owner gets an email, and the
        caller gets a fake user.
        """
        await self.scope.throttle.count(
            Attempt(Action.SIGNUP, self.scope.request.ip_address, mailbox_of(data.email))
        )
        password_hash = await hash_new_password(
            self.scope, data.password.get_secret_value(), about=(data.full_name, data.email)
        )
        try:
            user = await UserService(self.scope).add(
                email=data.email, full_name=data.full_name, password_hash=password_hash
            )
        except EmailTaken:
            if not self.scope.settings.login_requires_verified_email:
                raise
            self.uow.enqueue(SendAccountExists(email=data.email))
            return _fake_user(data)
        AuditTrail(self.scope).record("user.signed_up", user_id=user.id, actor_id=user.id)
        self.uow.enqueue(SendWelcomeEmail(user_id=user.id, email=user.email))
        return user


def _fake_user(data: UserRegister) -> UserPublic:
    return UserPublic(
        id=uuid7(),
        email=data.email,
        full_name=data.full_name,
        is_active=True,
        is_superuser=False,
        created_at=datetime.now(UTC),
    )
