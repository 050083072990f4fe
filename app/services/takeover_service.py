"""Recovery of an account after a takeover, with the "this wasn't me" link in an alert."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import bindparam, delete, func, select

from app.core.security.attempts import Action, Attempt
from app.core.security.tokens import hash_token
from app.models import SecurityAlert, User
from app.schemas.jobs import SendPasswordRecovery
from app.services.audit import AuditTrail
from app.services.auth.actor import lock_user
from app.services.auth.email_token_service import InvalidToken
from app.services.auth.revocation import Event, end_credentials, end_credentials_added_since
from app.services.personal_data.deletion import cancel_deletion, delete_account
from app.services.scope import Scope
from app.services.user_service import UserService

CLOCK_SKEW = timedelta(minutes=1)
"""How far the clocks of PostgreSQL and this process may differ. Both set times of credentials."""

_USER_OF = select(SecurityAlert.user_id).where(
    SecurityAlert.token_hash == bindparam("token_hash"), SecurityAlert.expires_at > func.now()
)


class TakeoverService:
    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.uow = scope.uow
        self.users = UserService(scope)

    async def report(self, token: str) -> None:
        """End an attacker's access, and send the owner a link to choose a new password.

        The password stops working, because the attacker may know it. Login methods that were added
        since the alert are removed. An address that was changed since the alert is restored,
        because the link proves that the user reads the earlier one. Raise InvalidToken.
        """
        user = await self._lock_user(token)
        alert = await self._consume(token)
        since = alert.created_at - CLOCK_SKEW
        user.password_hash = None
        await cancel_deletion(self.scope, user)
        await self._restore_email(user, alert.email)
        await end_credentials(self.scope, user.id, Event.TAKEOVER_REPORT)
        await end_credentials_added_since(self.scope, user.id, since)
        await self._delete_later_alerts(alert)
        AuditTrail(self.scope).record(
            "takeover.reported", user_id=user.id, actor_id=user.id, alert=alert.kind
        )
        self.uow.enqueue(SendPasswordRecovery(email=user.email))

    async def _lock_user(self, token: str) -> User:
        attempt = Attempt(Action.REPORT, self.scope.request.ip_address)
        async with self.scope.throttle.guess(attempt):
            user_id = await self.scope.reader.scalar(_USER_OF, token_hash=hash_token(token))
            user = await lock_user(self.scope, user_id) if user_id is not None else None
            if user is None:
                raise InvalidToken
        return user

    async def _consume(self, token: str) -> SecurityAlert:
        """Consume a token. If two requests race, the second raises InvalidToken."""
        alert: SecurityAlert | None = await self.uow.session.scalar(
            delete(SecurityAlert)
            .where(
                SecurityAlert.token_hash == hash_token(token),
                SecurityAlert.expires_at > func.now(),
            )
            .returning(SecurityAlert)
        )
        if alert is None:
            raise InvalidToken
        return alert

    async def _delete_later_alerts(self, alert: SecurityAlert) -> None:
        """Delete later alerts. The links in earlier ones stay, because their readers have priority.

        A later alert may have been sent to an address of the attacker.
        """
        await self.uow.session.execute(
            delete(SecurityAlert).where(
                SecurityAlert.user_id == alert.user_id,
                SecurityAlert.created_at >= alert.created_at,
            )
        )

    async def _restore_email(self, user: User, email: str) -> None:
        """Raise EmailTaken if another user has confirmed the address in the meantime."""
        if user.email == email:
            return
        squatter = await self.users.find_by_email(email)
        if squatter is not None and squatter.id != user.id and _is_squatter(squatter):
            await delete_account(self.scope, squatter, actor_id=user.id)
        user.email, user.email_verified_at = email, datetime.now(UTC)
        await self.users.save(user)


def _is_squatter(user: User) -> bool:
    """Return whether a user never confirmed the address. A superuser never counts as one."""
    return user.email_verified_at is None and not user.is_superuser
