"""Composes the mails about an account, with a link that is good from now on where it has one."""

from uuid import UUID

from app.core.config import Settings
from app.core.mailer import Mail
from app.core.unit_of_work import UnitOfWork
from app.models import Purpose, User
from app.schemas.jobs import FactorChange
from app.services import mails
from app.services.mailed_token_service import MailedTokenService
from app.services.user_service import UserService


class AccountMails:
    """Every method returns None where there is nobody left to write to, or nothing to say."""

    def __init__(self, uow: UnitOfWork, settings: Settings) -> None:
        self.uow = uow
        self.settings = settings

    async def welcome(self, user_id: UUID) -> Mail | None:
        if (user := await self.uow.session.get(User, user_id)) is None:
            return None
        return mails.welcome_mail(user, self.settings, await self._verification(user))

    async def verification(self, email: str) -> Mail | None:
        user = await self._find_active(email)
        if user is None or user.email_verified_at is not None:
            return None
        return mails.verification_mail(user, self.settings, await self._verification(user))

    async def new_account(self, user_id: UUID) -> Mail | None:
        if (user := await self.uow.session.get(User, user_id)) is None:
            return None
        lifetime = self.settings.invitation_link_lifetime
        token = await self._mint(user, Purpose.RESET_PASSWORD, user.email, lifetime)
        return mails.new_account_mail(user, self.settings, token)

    async def recovery(self, email: str) -> Mail | None:
        if (user := await self._find_active(email)) is None:
            return None
        lifetime = self.settings.recovery_link_lifetime
        token = await self._mint(user, Purpose.RESET_PASSWORD, user.email, lifetime)
        return mails.recovery_mail(user, self.settings, token)

    async def account_exists(self, email: str) -> Mail | None:
        if (user := await self._find_active(email)) is None:
            return None
        return mails.account_exists_mail(user, self.settings)

    async def password_changed(self, user_id: UUID) -> Mail | None:
        if (user := await self.uow.session.get(User, user_id)) is None:
            return None
        return mails.password_changed_mail(user, self.settings)

    async def second_factor_changed(self, user_id: UUID, change: FactorChange) -> Mail | None:
        if (user := await self.uow.session.get(User, user_id)) is None:
            return None
        return mails.second_factor_changed_mail(user, change, self.settings)

    async def identity_linked(self, user_id: UUID, provider: str) -> Mail | None:
        if (user := await self.uow.session.get(User, user_id)) is None:
            return None
        return mails.identity_linked_mail(user, provider, self.settings)

    async def email_change(self, user_id: UUID) -> Mail | None:
        user = await self.uow.session.get(User, user_id)
        if user is None or user.new_email is None:
            return None
        lifetime = self.settings.verification_link_lifetime
        token = await self._mint(user, Purpose.CHANGE_EMAIL, user.new_email, lifetime)
        return mails.email_change_mail(user, user.new_email, self.settings, token)

    async def email_change_notice(self, user_id: UUID, old_email: str) -> Mail | None:
        if (user := await self.uow.session.get(User, user_id)) is None:
            return None
        return mails.email_change_notice_mail(user, old_email, self.settings)

    async def _find_active(self, email: str) -> User | None:
        user = await UserService(self.uow).find_by_email(email)
        return user if user and user.is_active else None

    async def _verification(self, user: User) -> str:
        lifetime = self.settings.verification_link_lifetime
        return await self._mint(user, Purpose.VERIFY_EMAIL, user.email, lifetime)

    async def _mint(self, user: User, purpose: Purpose, email: str, lifetime: float) -> str:
        tokens = MailedTokenService(self.uow)
        return await tokens.mint(user.id, purpose, email=email, lifetime=lifetime)
