from datetime import UTC, datetime

from uuid_utils.compat import uuid7

from app.core.password_policy import check_password
from app.core.resources import Resources
from app.core.security import hash_password
from app.core.throttle import Attempt
from app.core.unit_of_work import UnitOfWork
from app.models import User
from app.schemas.jobs import SendAccountExists, SendWelcomeEmail
from app.schemas.user import UserRegister
from app.services.audit import AuditTrail, Caller
from app.services.user_service import EmailTaken, UserService


class SignupService:
    def __init__(self, uow: UnitOfWork, resources: Resources, caller: Caller) -> None:
        self.uow = uow
        self.settings = resources.settings
        self.throttle = resources.throttle
        self.caller = caller
        self.audit = AuditTrail(uow, caller)

    async def sign_up(self, registration: UserRegister) -> User:
        """Create a user and have them welcomed by e-mail, with a link that confirms the address.

        Raises Unacceptable for a password that is easy to guess, and EmailTaken. But where only
        a confirmed address may log in, a taken one looks like any other: its owner gets a mail,
        and whoever signs up a user that does not exist.
        """
        await self.throttle.count(Attempt("signup", self.caller.address, registration.email))
        password = registration.password.get_secret_value()
        check_password(
            password,
            min_length=self.settings.password_min_length,
            about=(registration.full_name, registration.email),
        )
        # Before the first query: no connection is held while the hash is computed.
        password_hash = await hash_password(password)
        user = User(
            email=registration.email,
            full_name=registration.full_name,
            password_hash=password_hash,
        )
        try:
            await UserService(self.uow).save(user)
        except EmailTaken:
            if not self.settings.login_requires_verified_email:
                raise
            return self._pretend(registration)
        self.audit.record("user.signed_up", user_id=user.id, actor_id=user.id)
        self.uow.enqueue(SendWelcomeEmail(user_id=user.id))
        return user

    def _pretend(self, registration: UserRegister) -> User:
        self.uow.enqueue(SendAccountExists(email=registration.email))
        return User(
            id=uuid7(),
            email=registration.email,
            full_name=registration.full_name,
            is_active=True,
            is_superuser=False,
            created_at=datetime.now(UTC),
        )
