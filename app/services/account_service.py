"""What users do with their own account."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import UUID

from app.core.exceptions import Refused
from app.core.password_policy import check_password
from app.core.resources import Resources
from app.core.security import hash_password, verify_password
from app.core.throttle import Attempt
from app.core.unit_of_work import UnitOfWork
from app.models import Purpose, User
from app.schemas.jobs import SendEmailChange, SendEmailChangeNotice, SendPasswordChanged
from app.schemas.user import UserUpdateMe
from app.services.admin_service import SuperusersStay
from app.services.audit import AuditTrail, Caller
from app.services.login_service import LOGIN, InactiveUser
from app.services.mailed_token_service import InvalidToken, MailedTokenService
from app.services.password_proof import prove_password
from app.services.principal import Principal
from app.services.session_service import SessionService
from app.services.user_service import EmailTaken, UserService


class SamePassword(Refused):
    def __init__(self) -> None:
        super().__init__("New password cannot be the same as the current one")


class AccountService:
    """Opens transactions of its own: none is open while a password is hashed."""

    def __init__(self, resources: Resources, caller: Caller) -> None:
        self.resources = resources
        self.settings = resources.settings
        self.caller = caller

    async def update(self, principal: Principal, wish: UserUpdateMe) -> User:
        """Change one's own name; a new address waits until a mail to it is answered.

        Raises IncorrectPassword for a new address without the right password, and EmailTaken.
        """
        changes = wish.given()
        new_email = wish.email
        if new_email is not None and new_email != principal.user.email:
            given = wish.current_password
            await self._prove(principal.user, given.get_secret_value() if given else "")
        async with self.resources.unit_of_work() as uow:
            user = await UserService(uow).get(principal.user.id)
            if "full_name" in changes:
                user.full_name = wish.full_name
            if new_email is not None and new_email != user.email:
                await self._ask_for_email(uow, user, new_email)
            return await UserService(uow).save(user)

    async def change_password(self, principal: Principal, current: str, new: str) -> None:
        """Change one's own password, which ends all sessions.

        Raises IncorrectPassword, SamePassword and Unacceptable.
        """
        user = principal.user
        await self._prove(user, current)
        if (await verify_password(new, user.password_hash)).right:
            raise SamePassword
        password_hash = await self._accepted(new, user)
        async with self.resources.unit_of_work() as uow:
            await self._set_password(uow, user.id, password_hash, "password.changed")

    async def reset_password(self, token: str, new: str) -> None:
        """Set a password with the token of a mail, which ends all sessions.

        Raises InvalidToken, InactiveUser and Unacceptable.
        """
        async with self._guess("reset"), self.resources.unit_of_work() as uow:
            mailed = await MailedTokenService(uow).look_at(token, Purpose.RESET_PASSWORD)
            user = await UserService(uow).get(mailed.user_id)
        if not user.is_active:
            raise InactiveUser
        password_hash = await self._accepted(new, user)
        async with self.resources.unit_of_work() as uow:
            mailed = await MailedTokenService(uow).use(token, Purpose.RESET_PASSWORD)
            changed = await self._set_password(uow, user.id, password_hash, "password.reset")
            if changed.email == mailed.email:
                changed.email_verified_at = changed.email_verified_at or datetime.now(UTC)
        # Whoever reads the mail is the owner: others' guesses shall not keep them out.
        await self.resources.throttle.forgive(LOGIN, user.email)

    async def delete(self, uow: UnitOfWork, principal: Principal) -> None:
        """Delete one's own account and all that is in it. Raises SuperusersStay."""
        if principal.user.is_superuser:
            raise SuperusersStay
        user_id = principal.user.id
        await uow.session.delete(principal.user)
        AuditTrail(uow, self.caller).record("user.deleted", user_id=user_id, actor_id=user_id)

    async def verify_email(self, token: str) -> None:
        """Confirm the address that a link was sent to; a new one takes the place of the old.

        Raises InvalidToken, and EmailTaken when somebody else has taken the new address since.
        """
        async with self._guess("verify"), self.resources.unit_of_work() as uow:
            mailed = await MailedTokenService(uow).use(
                token, Purpose.VERIFY_EMAIL, Purpose.CHANGE_EMAIL
            )
            user = await UserService(uow).get(mailed.user_id)
            if mailed.purpose == Purpose.CHANGE_EMAIL:
                # What was sent to the old address is good for nothing from now on.
                await MailedTokenService(uow).forget(user.id)
                user.email, user.new_email = mailed.email, None
            elif mailed.email != user.email:
                raise InvalidToken
            user.email_verified_at = datetime.now(UTC)
            await UserService(uow).save(user)
            AuditTrail(uow, self.caller).record("email.verified", user_id=user.id, actor_id=user.id)

    @asynccontextmanager
    async def _guess(self, action: str) -> AsyncIterator[None]:
        """Count what turns out to be a wrong guess of a token."""
        attempt = Attempt(action, self.caller.address)
        await self.resources.throttle.check(attempt)
        try:
            yield
        except InvalidToken:
            await self.resources.throttle.count(attempt)
            raise

    async def _prove(self, user: User, password: str) -> None:
        await prove_password(self.resources, self.caller, user, password)

    async def _accepted(self, password: str, user: User) -> str:
        check_password(
            password,
            min_length=self.settings.password_min_length,
            about=(user.full_name, user.email),
            field="new_password",
        )
        return await hash_password(password)

    async def _set_password(
        self, uow: UnitOfWork, user_id: UUID, password_hash: str, event: str
    ) -> User:
        user = await UserService(uow).get(user_id)
        user.password_hash = password_hash
        await uow.session.flush()
        await SessionService(uow, self.settings, self.caller).end_all(user.id, actor_id=user.id)
        await MailedTokenService(uow).forget(user.id)
        AuditTrail(uow, self.caller).record(event, user_id=user.id, actor_id=user.id)
        uow.enqueue(SendPasswordChanged(user_id=user.id))
        return user

    async def _ask_for_email(self, uow: UnitOfWork, user: User, new_email: str) -> None:
        owner = await UserService(uow).find_by_email(new_email)
        if owner is not None and owner.id != user.id:
            raise EmailTaken
        user.new_email = new_email
        AuditTrail(uow, self.caller).record(
            "email.change_requested", user_id=user.id, actor_id=user.id
        )
        uow.enqueue(SendEmailChange(user_id=user.id))
        uow.enqueue(SendEmailChangeNotice(user_id=user.id, email=user.email))
