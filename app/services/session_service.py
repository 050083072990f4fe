"""Sessions: one a login. An access token is worth nothing once the row of its session is gone."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy import delete, func, select, update

from app.core.config import Settings
from app.core.exceptions import NotFound, Unauthenticated
from app.core.tokens import (
    AccessToken,
    hash_token,
    issue_access_token,
    new_token,
    read_access_token,
)
from app.core.unit_of_work import UnitOfWork
from app.models import LoginChallenge, RefreshToken, User, UserSession
from app.services.audit import AuditTrail, Caller
from app.services.page import Page, page_of
from app.services.principal import Principal

log = structlog.stdlib.get_logger(__name__)


class SessionNotFound(NotFound):
    def __init__(self) -> None:
        super().__init__("Session not found")


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a client gets: an access token for minutes, and one that opens the next, once."""

    access_token: str
    refresh_token: str
    expires_at: datetime


async def authenticate(uow: UnitOfWork, settings: Settings, token: str) -> Principal:
    """Tell who stands behind an access token, by one query of the session and its user.

    Raises Unauthenticated, also when the session has ended or the user is inactive.
    """
    claims = read_access_token(settings, token)
    user = await uow.session.scalar(
        select(User)
        .join(UserSession, UserSession.user_id == User.id)
        .where(
            UserSession.id == claims.session_id,
            UserSession.expires_at > func.now(),
            User.id == claims.user_id,
            User.is_active,
        )
    )
    if user is None:
        raise Unauthenticated
    return Principal(user, claims.session_id)


class SessionService:
    def __init__(self, uow: UnitOfWork, settings: Settings, caller: Caller) -> None:
        self.uow = uow
        self.settings = settings
        self.caller = caller
        self.audit = AuditTrail(uow, caller)

    async def open(self, user: User) -> Tokens:
        """Begin a session of a user who has proved who they are."""
        lifetime = timedelta(seconds=self.settings.session_lifetime)
        session = UserSession(
            user_id=user.id,
            user_agent=self.caller.user_agent,
            address=self.caller.address,
            expires_at=datetime.now(UTC) + lifetime,
        )
        self.uow.session.add(session)
        await self.uow.session.flush()
        return await self._tokens(session)

    async def refresh(self, refresh_token: str) -> Tokens | None:
        """Exchange a refresh token for new tokens, once.

        A token that comes a second time was copied: its session ends, for thief and owner alike.
        None stands for every token that is not good, so that the caller commits that end.
        """
        token_hash = hash_token(refresh_token)
        # Whoever comes second with the same token waits here for the first, and finds it used.
        session_id = await self.uow.session.scalar(
            update(RefreshToken)
            .where(RefreshToken.token_hash == token_hash, RefreshToken.used_at.is_(None))
            .values(used_at=func.now())
            .returning(RefreshToken.session_id)
        )
        if session_id is None:
            await self._end_session_of_used(token_hash)
            return None
        session = await self.uow.session.scalar(
            select(UserSession)
            .join(User)
            .where(
                UserSession.id == session_id, UserSession.expires_at > func.now(), User.is_active
            )
        )
        if session is None:
            return None
        session.last_seen_at = datetime.now(UTC)
        session.address, session.user_agent = self.caller.address, self.caller.user_agent
        return await self._tokens(session)

    async def list(self, user_id: UUID, *, skip: int, limit: int) -> Page[UserSession]:
        """List a user's live sessions, newest first."""
        query = select(UserSession).where(
            UserSession.user_id == user_id, UserSession.expires_at > func.now()
        )
        return await page_of(
            self.uow, query.order_by(UserSession.id.desc()), skip=skip, limit=limit
        )

    async def end(self, user_id: UUID, session_id: UUID) -> None:
        """End one session of a user. Raises SessionNotFound."""
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

    async def end_all(
        self, user_id: UUID, *, actor_id: UUID | None, but: UUID | None = None
    ) -> None:
        """End every session of a user but one, with all tokens, and every login half done."""
        ended = delete(UserSession).where(UserSession.user_id == user_id)
        if but is not None:
            ended = ended.where(UserSession.id != but)
        await self.uow.session.execute(ended)
        await self.uow.session.execute(
            delete(LoginChallenge).where(LoginChallenge.user_id == user_id)
        )
        self.audit.record("sessions.ended", user_id=user_id, actor_id=actor_id)

    async def _tokens(self, session: UserSession) -> Tokens:
        refresh_token = new_token()
        self.uow.session.add(
            RefreshToken(token_hash=hash_token(refresh_token), session_id=session.id)
        )
        await self.uow.session.flush()
        claims = AccessToken(session.user_id, session.id)
        return Tokens(issue_access_token(self.settings, claims), refresh_token, session.expires_at)

    async def _end_session_of_used(self, token_hash: bytes) -> None:
        used = select(RefreshToken.session_id).where(RefreshToken.token_hash == token_hash)
        ended = await self.uow.session.execute(
            delete(UserSession)
            .where(UserSession.id.in_(used))
            .returning(UserSession.id, UserSession.user_id)
        )
        for session_id, user_id in ended:
            log.warning("refresh_token.reused", user_id=str(user_id))
            self.audit.record(
                "refresh_token.reused",
                user_id=user_id,
                actor_id=None,
                session_id=str(session_id),
            )
