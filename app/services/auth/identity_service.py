"""Identities link a user to a provider. Both sides must have verified the email."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import ColumnElement, bindparam, select
from sqlalchemy.exc import IntegrityError

from app.core.config import Settings
from app.core.exceptions import BadRequest, Conflict, NotFound
from app.core.security.email_addresses import normalized_email
from app.models import Alert, Identity, User
from app.schemas.jobs import SendWelcomeEmail
from app.schemas.oidc import VerifiedIdentity
from app.services.alerts import notify
from app.services.audit import AuditTrail
from app.services.auth.actor import EmailNotConfirmed, is_session_live, lock_actor, lock_user
from app.services.auth.login_methods import check_is_not_last_login_method
from app.services.auth.login_service import InactiveUser
from app.services.scope import Scope
from app.services.user_service import UserService

_IDENTITY = select(Identity.id).where(
    Identity.provider == bindparam("provider"), Identity.subject == bindparam("subject")
)


class EmailNotVerifiedByProvider(BadRequest):
    def __init__(self, provider: str) -> None:
        super().__init__(
            f"{provider} does not vouch for your email address. Confirm it there, then try again."
        )


class AccountNotVerified(BadRequest):
    def __init__(self) -> None:
        super().__init__(
            "There is an account with your email address, but it was never confirmed. Log in with "
            "its password and follow the link that we sent you, or recover the password; then try "
            "again."
        )


class AccountNotLinked(BadRequest):
    def __init__(self, provider: str) -> None:
        super().__init__(
            f"There is an account with your email address. Log in to it in another way, then link "
            f"{provider} to it."
        )


class IdentityNeedsPassword(BadRequest):
    def __init__(self, provider: str) -> None:
        super().__init__(
            f"Your password was reset since your last login with {provider}. Log in with the "
            f"password, then link {provider} again."
        )


class IdentityTaken(Conflict):
    def __init__(self, provider: str) -> None:
        super().__init__(f"This {provider} account is linked to another user.")


class IdentityNotFound(NotFound):
    def __init__(self) -> None:
        super().__init__("Identity not found")


class SessionEnded(BadRequest):
    def __init__(self) -> None:
        super().__init__("You have been logged out. Log in and try again.")


def is_trusted_provider(settings: Settings, provider: str) -> bool:
    """Return whether a provider is trusted to verify the addresses of its users."""
    return settings.oidc_providers[provider].links_by_email


class IdentityService:
    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.uow = scope.uow
        self.audit = AuditTrail(scope)

    async def find_or_create_user(self, verified: VerifiedIdentity) -> User:
        """Return the user of an identity, else the account with its email, else a new account.

        The user is locked, so a deactivation commits before this or after it. Raise
        EmailNotVerifiedByProvider, AccountNotVerified, AccountNotLinked, IdentityNeedsPassword, or
        InactiveUser. If two requests race, the second raises IdentityTaken or EmailTaken.
        """
        user = await self._find_user(verified)
        return await self._link_or_create_user(verified) if user is None else user

    async def may_create_user(self, verified: VerifiedIdentity) -> bool:
        """Return whether an identity is unknown, so that its login may create an account."""
        row = await self.scope.reader.first(
            _IDENTITY, provider=verified.provider, subject=verified.subject
        )
        return row is None

    async def link(self, user_id: UUID, session_id: UUID, verified: VerifiedIdentity) -> None:
        """Link an identity to a user who is still logged in.

        Linking it again after a password reset lets it log in without the password again.

        Raise SessionEnded, EmailNotVerifiedByProvider, EmailNotConfirmed, or IdentityTaken.
        """
        user = await self._lock_logged_in(user_id, session_id)
        if user is None:
            raise SessionEnded
        if verified.email is None:
            raise EmailNotVerifiedByProvider(verified.provider)
        if user.email_verified_at is None:
            raise EmailNotConfirmed
        identity = await self._find_identity(verified)
        if identity is None:
            await self._add(user, verified, verified.email)
            await self._notify(user, verified)
        elif identity.user_id != user.id:
            raise IdentityTaken(verified.provider)
        else:
            identity.needs_password = False

    async def list(self) -> Sequence[Identity]:
        """List the user's identities, oldest first."""
        return await self._list(self.scope.principal.user_id)

    async def unlink(self, identity_id: UUID) -> None:
        """Remove an identity.

        Raise IdentityNotFound, or LastLoginMethod for the only way to log in.
        """
        # If two requests race, the second sees what the first has left.
        user = await lock_actor(self.scope)
        identity = await self.uow.session.get(Identity, identity_id)
        if identity is None or identity.user_id != user.id:
            raise IdentityNotFound
        await check_is_not_last_login_method(self.scope, user)
        await self.uow.session.delete(identity)
        self._record(user.id, "identity.unlinked", identity.provider)

    def _may_open_by_email(self, user: User, verified: VerifiedIdentity) -> bool:
        """Return whether a trusted provider has verified the account's own address."""
        if verified.email is None or user.is_superuser:
            return False
        trusted = is_trusted_provider(self.scope.settings, verified.provider)
        return trusted and user.normalized_email == normalized_email(verified.email)

    async def _find_user(self, verified: VerifiedIdentity) -> User | None:
        """Return the user of a known identity."""
        identity = await self._find_identity(verified)
        if identity is None:
            return None
        user = await self._lock(User.id == identity.user_id)
        # Read the identity again: a password reset may have committed before the lock.
        identity = await self._find_identity(verified)
        if user is None or identity is None:
            return None
        if not user.is_active:
            raise InactiveUser
        if identity.needs_password and not self._may_open_by_email(user, verified):
            raise IdentityNeedsPassword(verified.provider)
        identity.needs_password = False
        identity.last_used_at = datetime.now(UTC)
        return user

    async def _link_or_create_user(self, verified: VerifiedIdentity) -> User:
        """Link an identity to the account with its email, or to a new account."""
        if verified.email is None:
            raise EmailNotVerifiedByProvider(verified.provider)
        user = await self._lock(User.normalized_email == normalized_email(verified.email))
        if user is None:
            user = await self._create_user(verified, verified.email)
            await self._add(user, verified, verified.email)
            self._record(user.id, "identity.linked", verified.provider)
            return user
        if not user.is_active:
            raise InactiveUser
        if user.email_verified_at is None:
            raise AccountNotVerified
        if not self._may_open_by_email(user, verified):
            raise AccountNotLinked(verified.provider)
        await self._add(user, verified, verified.email)
        await self._notify(user, verified)
        return user

    async def _find_identity(self, verified: VerifiedIdentity) -> Identity | None:
        query = select(Identity).where(
            Identity.provider == verified.provider, Identity.subject == verified.subject
        )
        return await self.uow.session.scalar(query.execution_options(populate_existing=True))

    async def _lock(self, condition: ColumnElement[bool]) -> User | None:
        query = select(User).where(condition).with_for_update()
        return await self.uow.session.scalar(query.execution_options(populate_existing=True))

    async def _lock_logged_in(self, user_id: UUID, session_id: UUID) -> User | None:
        user = await lock_user(self.scope, user_id)
        if user is None or not user.is_active:
            return None
        return user if await is_session_live(self.scope, user_id, session_id) else None

    async def _create_user(self, verified: VerifiedIdentity, email: str) -> User:
        """Create an account. Its address is unconfirmed if the provider is not trusted.

        Otherwise, an attacker at such a provider could prepare an account for another person.
        """
        trusted = is_trusted_provider(self.scope.settings, verified.provider)
        confirmed_at = datetime.now(UTC) if trusted else None
        user = User(email=email, full_name=verified.full_name, email_verified_at=confirmed_at)
        await UserService(self.scope).save(user)
        if not trusted:
            self.uow.enqueue(SendWelcomeEmail(user_id=user.id, email=user.email))
        # Read the columns that the database has filled in.
        await self.uow.session.refresh(user)
        self.audit.record("user.signed_up", user_id=user.id, actor_id=user.id)
        return user

    async def _add(self, user: User, verified: VerifiedIdentity, email: str) -> None:
        """Store an identity. Raise IdentityTaken if it violates the unique constraint."""
        identity = Identity(
            user_id=user.id, provider=verified.provider, subject=verified.subject, email=email
        )
        try:
            async with self.uow.session.begin_nested():
                self.uow.session.add(identity)
        except IntegrityError as error:
            raise IdentityTaken(verified.provider) from error

    async def _list(self, user_id: UUID) -> Sequence[Identity]:
        query = select(Identity).where(Identity.user_id == user_id).order_by(Identity.id)
        return (await self.uow.session.scalars(query)).all()

    async def _notify(self, user: User, verified: VerifiedIdentity) -> None:
        """Email the owner, because an attacker's login method would survive a new password."""
        details = {"provider": verified.provider}
        await notify(self.scope, user, Alert.NEW_IDENTITY, details, actor_id=user.id)

    def _record(self, user_id: UUID, event: str, provider: str) -> None:
        self.audit.record(event, user_id=user_id, actor_id=user_id, provider=provider)
