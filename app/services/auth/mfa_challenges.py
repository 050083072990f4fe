"""Unfinished logins: the password was correct, and the second factor must follow."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import bindparam, delete, func, select

from app.core.exceptions import BadRequest
from app.core.security.tokens import hash_token, new_token
from app.models import MfaChallenge
from app.services.scope import Scope

LIFETIME = 300
"""Seconds within which the second factor must follow."""

_USER_OF = select(MfaChallenge.user_id).where(
    MfaChallenge.token_hash == bindparam("token_hash"), MfaChallenge.expires_at > func.now()
)


class LoginTooOld(BadRequest):
    def __init__(self) -> None:
        super().__init__("This login is too old. Begin again with your password")


class MfaChallengeService:
    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    async def issue(self, user_id: UUID) -> str:
        """Create a token that is valid for the second step of one login, and for nothing else."""
        token = new_token()
        expires_at = datetime.now(UTC) + timedelta(seconds=LIFETIME)
        self.scope.uow.session.add(
            MfaChallenge(token_hash=hash_token(token), user_id=user_id, expires_at=expires_at)
        )
        return token

    async def peek(self, token: str) -> UUID:
        """Return the user of a login without consuming its token. Raise LoginTooOld."""
        user_id = await self.scope.reader.scalar(_USER_OF, token_hash=hash_token(token))
        if user_id is None:
            raise LoginTooOld
        return user_id

    async def consume(self, token: str) -> None:
        """Consume a token. If two requests race, the second raises LoginTooOld."""
        consumed = await self.scope.uow.session.scalar(
            delete(MfaChallenge)
            .where(
                MfaChallenge.token_hash == hash_token(token),
                MfaChallenge.expires_at > func.now(),
            )
            .returning(MfaChallenge.user_id)
        )
        if consumed is None:
            raise LoginTooOld
