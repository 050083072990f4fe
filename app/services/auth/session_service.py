"""Sessions: one per login. An access token stops working when its session's row is deleted."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy import bindparam, delete, func, select

from app.core.config import Settings
from app.core.exceptions import NotFound, Unauthenticated
from app.core.security.access_tokens import AccessToken, issue_access_token
from app.core.security.tokens import hash_token, successors_of
from app.models import Alert, RefreshToken, User, UserSession
from app.schemas.common import Page
from app.schemas.session import OwnSession
from app.services.alerts import notify
from app.services.audit import AuditTrail
from app.services.columns import select_as
from app.services.scope import Scope

log = structlog.stdlib.get_logger(__name__)

_LIVE = (
    select_as(OwnSession, UserSession)
    .where(UserSession.user_id == bindparam("user_id"), UserSession.expires_at > func.now())
    .order_by(UserSession.id.desc())
)


class SessionNotFound(NotFound):
    def __init__(self) -> None:
        super().__init__("Session not found")


@dataclass(frozen=True, slots=True)
class Tokens:
    """A short-lived access token, and a refresh token to exchange for the next pair."""

    access_token: str
    refresh_token: str
    expires_at: datetime
    device: str | None = None
    """The token for the cookie of a device that has none yet."""


def session_expiry(settings: Settings, *, created_at: datetime, seen_at: datetime) -> datetime:
    """Return when a session ends unless it is refreshed first."""
    return min(
        created_at + timedelta(seconds=settings.session_lifetime),
        seen_at + timedelta(seconds=settings.session_idle_lifetime),
    )


class SessionService:
    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.uow = scope.uow
        self.audit = AuditTrail(scope)

    async def refresh(self, refresh_token: str) -> Tokens:
        """Exchange a refresh token for new tokens. Raise Unauthenticated for an invalid token.

        Two tabs of a browser may send the same token. Both get the same successor if it is unused
        and REFRESH_TOKEN_OVERLAP has not passed. After that, a used token must be a copy, so its
        session ends for the attacker and the owner alike.
        """
        # If two requests with one token race, the second waits here and then finds it used.
        found = await self.uow.session.execute(
            select(RefreshToken, UserSession, User, func.now())
            .join(UserSession, UserSession.id == RefreshToken.session_id)
            .join(User, User.id == UserSession.user_id)
            .where(RefreshToken.token_hash == hash_token(refresh_token))
            .with_for_update(of=[UserSession, RefreshToken])
        )
        if (row := found.one_or_none()) is None:
            raise Unauthenticated
        token, session, user, now = row
        if not user.is_active or self._has_ended(session, now):
            raise Unauthenticated
        successors = successors_of(self.scope.settings, refresh_token)
        if token.used_at is None:
            self._extend(session, now)
            token.used_at = now
            return await self._issue_tokens(session, successors[0])
        if successor := await self._successor_of_second_tab(token, successors, now):
            return self._sign_tokens(session, successor)
        await self._end_copied(session, user)
        self.uow.commit_on_refusal()
        raise Unauthenticated

    async def touch(self) -> datetime:
        """Extend the current session, and return when it ends. Raise Unauthenticated."""
        session = await self.uow.session.scalar(
            select(UserSession)
            .where(UserSession.id == self.scope.principal.session_id)
            .with_for_update()
        )
        now = datetime.now(UTC)
        if session is None or self._has_ended(session, now):
            raise Unauthenticated
        self._extend(session, now)
        return session.expires_at

    async def end_copied_page_session(self, cookie: str) -> None:
        """End the session of a page's cookie that was exchanged as a refresh token.

        Pages never exchange their cookie, so an attacker has a copy. Without this, the attacker
        would stay logged in, and the owner would not.
        """
        found = await self.uow.session.execute(
            select(UserSession, User)
            .join(RefreshToken, RefreshToken.session_id == UserSession.id)
            .join(User, User.id == UserSession.user_id)
            .where(RefreshToken.token_hash == hash_token(cookie), RefreshToken.used_at.is_not(None))
            .with_for_update(of=UserSession)
        )
        if (row := found.one_or_none()) is not None:
            await self._end_copied(*row)

    async def list(self, *, skip: int, limit: int) -> Page[OwnSession]:
        """List the user's live sessions, newest first, and mark the current one."""
        principal = self.scope.principal
        page = await self.scope.reader.page(
            Page[OwnSession], _LIVE, user_id=principal.user_id, skip=skip, limit=limit
        )
        for session in page.data:
            session.current = session.id == principal.session_id
        return page

    async def end(self, session_id: UUID) -> None:
        """End one of the user's sessions. Raise SessionNotFound."""
        user_id = self.scope.principal.user_id
        ended = await self.uow.session.scalar(
            delete(UserSession)
            .where(UserSession.id == session_id, UserSession.user_id == user_id)
            .returning(UserSession.id)
        )
        if ended is None:
            raise SessionNotFound
        self.audit.record(
            "session.ended", user_id=user_id, actor_id=user_id, session_id=str(session_id)
        )

    async def end_by_refresh_token(self, refresh_token: str) -> None:
        """End the session of a refresh token, if it is still open.

        A used token is accepted, too, because a tab of a browser may have an earlier token.
        """
        ended = await self.uow.session.execute(
            delete(UserSession)
            .where(
                UserSession.id == RefreshToken.session_id,
                RefreshToken.token_hash == hash_token(refresh_token),
            )
            .returning(UserSession.id, UserSession.user_id)
        )
        for session_id, user_id in ended:
            self.audit.record(
                "session.ended", user_id=user_id, actor_id=user_id, session_id=str(session_id)
            )

    def _has_ended(self, session: UserSession, now: datetime) -> bool:
        # The lifetimes may have become shorter since the session was last seen.
        expiry = session_expiry(
            self.scope.settings, created_at=session.created_at, seen_at=session.last_seen_at
        )
        return min(session.expires_at, expiry) <= now

    def _extend(self, session: UserSession, now: datetime) -> None:
        session.last_seen_at = now
        session.expires_at = session_expiry(
            self.scope.settings, created_at=session.created_at, seen_at=now
        )
        session.ip_address = self.scope.request.ip_address
        session.user_agent = self.scope.request.user_agent

    async def _successor_of_second_tab(
        self, token: RefreshToken, successors: Sequence[str], now: datetime
    ) -> str | None:
        """Return the successor of a used token that two requests sent at the same time.

        A process with another SECRET_KEY may have answered the first.
        """
        overlap = timedelta(seconds=self.scope.settings.refresh_token_overlap)
        # The second transaction may have started first, so `now` may be before `used_at`.
        if token.used_at is None or max(now - token.used_at, timedelta(0)) >= overlap:
            return None
        for successor in successors:
            issued = await self.uow.session.get(RefreshToken, hash_token(successor))
            if issued is not None:
                return successor if issued.used_at is None else None
        return None

    async def _issue_tokens(self, session: UserSession, refresh_token: str) -> Tokens:
        self.uow.session.add(
            RefreshToken(token_hash=hash_token(refresh_token), session_id=session.id)
        )
        await self.uow.session.flush()
        return self._sign_tokens(session, refresh_token)

    def _sign_tokens(self, session: UserSession, refresh_token: str) -> Tokens:
        access_token = issue_access_token(
            self.scope.settings, AccessToken(session.user_id, session.id)
        )
        return Tokens(access_token, refresh_token, session.expires_at)

    async def _end_copied(self, session: UserSession, user: User) -> None:
        log.warning("refresh_token.reused", user_id=str(user.id))
        await self.uow.session.delete(session)
        await notify(self.scope, user, Alert.TOKEN_REUSED, {"session_id": str(session.id)})
