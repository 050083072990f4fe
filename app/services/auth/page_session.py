"""The session of a browser that uses our own pages.

It is a session like any other. Its cookie is the refresh token, which pages never exchange: a
cookie that changed with every page would log out a browser that loads two pages at once.
"""

from datetime import timedelta

from sqlalchemy import bindparam, func, select

from app.core.exceptions import Unauthenticated
from app.core.postgres.reader import Reader
from app.core.security.tokens import hash_token
from app.models import RefreshToken, UserSession
from app.services.auth.authentication import authenticate_session
from app.services.auth.principal import Principal

TOUCH_PRECISION = timedelta(minutes=5)
"""A visit extends the idle lifetime of a session, with at most one write in this time."""

_SESSION = (
    select(
        UserSession.user_id,
        UserSession.id,
        UserSession.last_seen_at <= func.now() - TOUCH_PRECISION,
    )
    .join(RefreshToken, RefreshToken.session_id == UserSession.id)
    .where(RefreshToken.token_hash == bindparam("token_hash"), RefreshToken.used_at.is_(None))
)


async def authenticate_visit(reader: Reader, cookie: str | None) -> tuple[Principal, bool]:
    """Return the principal of a page's cookie, and whether the session is due to be touched.

    Raise Unauthenticated, as after a logout.
    """
    if cookie is None:
        raise Unauthenticated
    row = await reader.first(_SESSION, token_hash=hash_token(cookie))
    if row is None:
        raise Unauthenticated
    user_id, session_id, is_due = row
    principal = await authenticate_session(reader, user_id=user_id, session_id=session_id)
    return principal, is_due
