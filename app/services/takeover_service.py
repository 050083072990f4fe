"""The owner of an account takes it back, with the link in an alert that says "this wasn't me"."""

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
"""By how much the clocks of PostgreSQL and of this process may differ. Both date credentials."""

_USER_OF = select(SecurityAlert.user_id).where(
    SecurityAlert.token_hash == bindparam("token_hash"), SecurityAlert.expires_at > func.now()
)


class TakeoverService:
    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.uow = scope.uow
        self.users = UserService(scope)

    async def report(self, token: str) -> None:
        """End what an attacker may hold, and send the owner a link to choose a new password.

        The password stops working, because the attacker may know it. Ways to log in that were added
        since the alert are removed, and an address that was changed since is restored: the link
        proves who read the address at that time. Raise InvalidToken.
        """
        user = await self._lock_user(token)
        alert = await self._consume(token)
        since = alert.created_at - CLOCK_SKEW
        user.password_hash = None
        cancel_deletion(self.scope, user)
        await self._restore_email(user, alert.email)
        await end_credentials(self.scope, user.id, Event.TAKEOVER_REPORT)
        await end_credentials_added_since(self.scope, user.id, since)
        await self._end_later_alerts(alert)
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

    async def _end_later_alerts(self, alert: SecurityAlert) -> None:
        """Keep the links in earlier alerts: their readers come before this one."""
        await self.uow.session.execute(
            delete(SecurityAlert).where(
                SecurityAlert.user_id == alert.user_id,
                SecurityAlert.created_at >= alert.created_at,
            )
        )

    async def _restore_email(self, user: User, email: str) -> None:
        """Raise EmailTaken where another user has confirmed the address since."""
        if user.email == email:
            return
        squatter = await self.users.find_by_email(email)
        if squatter is not None and squatter.id != user.id and _is_squatter(squatter):
            await delete_account(self.scope, squatter, actor_id=user.id)
        user.email, user.email_verified_at = email, datetime.now(UTC)
        await self.users.save(user)


def _is_squatter(user: User) -> bool:
    """Return whether the user has never read the emails to the address. A superuser stays."""
    return user.email_verified_at is None and not user.is_superuser
