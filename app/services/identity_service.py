"""Who users are to providers. Linking needs an address that is verified on both sides."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.exc import IntegrityError

from app.core.exceptions import Conflict, NotFound, Refused
from app.core.unit_of_work import UnitOfWork
from app.models import Identity, User, UserSession
from app.schemas.jobs import SendIdentityLinked
from app.schemas.oidc import ProvenIdentity
from app.services.audit import AuditTrail, Caller
from app.services.login_service import InactiveUser
from app.services.user_service import UserService


class AddressNotVerified(Refused):
    def __init__(self, provider: str) -> None:
        super().__init__(
            f"{provider} does not vouch for your email address. Confirm it there, then try again."
        )


class AccountNotVerified(Refused):
    def __init__(self) -> None:
        super().__init__(
            "There is an account with your email address, but it was never confirmed. Log in with "
            "its password and follow the link that we sent you, or recover the password; then try "
            "again."
        )


class OwnAddressNotVerified(Refused):
    def __init__(self) -> None:
        super().__init__("Confirm your email address first: follow the link that we sent you.")


class IdentityTaken(Conflict):
    def __init__(self, provider: str) -> None:
        super().__init__(f"This {provider} account is linked to another user.")


class IdentityNotFound(NotFound):
    def __init__(self) -> None:
        super().__init__("Identity not found")


class LastWayIn(Conflict):
    def __init__(self) -> None:
        super().__init__(
            "This is the only way into your account. Set a password first: have a link sent that "
            "recovers it."
        )


class SessionEnded(Refused):
    def __init__(self) -> None:
        super().__init__("You have been logged out meanwhile. Log in and try again.")


class IdentityService:
    def __init__(self, uow: UnitOfWork, caller: Caller) -> None:
        self.uow = uow
        self.session = uow.session
        self.audit = AuditTrail(uow, caller)

    async def user_of(self, proven: ProvenIdentity) -> User:
        """Find whom a provider vouches for, or else their account by address, or else create it.

        The user is locked: a deactivation comes before or after. Raises AddressNotVerified,
        AccountNotVerified, InactiveUser, and what `_add` and `UserService.save` raise when
        somebody else was first by a moment.
        """
        identity = await self._find(proven)
        if identity is not None and (user := await self._lock(User.id == identity.user_id)):
            identity.last_used_at = datetime.now(UTC)
            return user
        if proven.email is None:
            raise AddressNotVerified(proven.provider)
        user = await self._lock(func.lower(User.email) == func.lower(proven.email))
        if user is None:
            user = await self._create(proven.email, proven.full_name)
        elif not user.is_active:
            raise InactiveUser
        elif user.email_verified_at is None:
            raise AccountNotVerified
        else:
            self._tell(user, proven)
        await self._add(user, proven, proven.email)
        return user

    async def link(self, user_id: UUID, session_id: UUID, proven: ProvenIdentity) -> None:
        """Give a user who is still logged in a further way in; linking twice changes nothing.

        Raises SessionEnded, AddressNotVerified, OwnAddressNotVerified and IdentityTaken.
        """
        user = await self.session.scalar(
            select(User)
            .join(UserSession)
            .where(
                User.id == user_id,
                User.is_active,
                UserSession.id == session_id,
                UserSession.expires_at > func.now(),
            )
            .with_for_update(of=User)
        )
        if user is None:
            raise SessionEnded
        if proven.email is None:
            raise AddressNotVerified(proven.provider)
        if user.email_verified_at is None:
            raise OwnAddressNotVerified
        identity = await self._find(proven)
        if identity is None:
            await self._add(user, proven, proven.email)
            self._tell(user, proven)
        elif identity.user_id != user.id:
            raise IdentityTaken(proven.provider)

    async def list(self, user_id: UUID) -> Sequence[Identity]:
        """List a user's identities, oldest first."""
        query = select(Identity).where(Identity.user_id == user_id).order_by(Identity.id)
        return (await self.session.scalars(query)).all()

    async def unlink(self, user_id: UUID, identity_id: UUID) -> None:
        """Take a way in away. Raises IdentityNotFound, and LastWayIn where there is no other."""
        # Of two who unlink at the same time, the second sees what the first has left.
        user = await self._lock(User.id == user_id)
        identities = {identity.id: identity for identity in await self.list(user_id)}
        if user is None or identity_id not in identities:
            raise IdentityNotFound
        if user.password_hash is None and len(identities) == 1:
            raise LastWayIn
        identity = identities[identity_id]
        await self.session.delete(identity)
        self.audit.record(
            "identity.unlinked", user_id=user_id, actor_id=user_id, provider=identity.provider
        )

    def _tell(self, user: User, proven: ProvenIdentity) -> None:
        """A thief's way in would outlive a new password: the owner has to know of it."""
        self.uow.enqueue(SendIdentityLinked(user_id=user.id, provider=proven.provider))

    async def _find(self, proven: ProvenIdentity) -> Identity | None:
        return await self.session.scalar(
            select(Identity).where(
                Identity.provider == proven.provider, Identity.subject == proven.subject
            )
        )

    async def _lock(self, whose: ColumnElement[bool]) -> User | None:
        query = select(User).where(whose).with_for_update()
        return await self.session.scalar(query.execution_options(populate_existing=True))

    async def _create(self, email: str, full_name: str | None) -> User:
        user = User(email=email, full_name=full_name, email_verified_at=datetime.now(UTC))
        await UserService(self.uow).save(user)
        # What the database fills in: the user is new to it.
        await self.session.refresh(user)
        self.audit.record("user.signed_up", user_id=user.id, actor_id=user.id)
        return user

    async def _add(self, user: User, proven: ProvenIdentity, email: str) -> None:
        """Raises IdentityTaken, by the unique constraint alone."""
        identity = Identity(
            user_id=user.id, provider=proven.provider, subject=proven.subject, email=email
        )
        try:
            async with self.session.begin_nested():
                self.session.add(identity)
        except IntegrityError as error:
            raise IdentityTaken(proven.provider) from error
        self.audit.record(
            "identity.linked", user_id=user.id, actor_id=user.id, provider=proven.provider
        )
