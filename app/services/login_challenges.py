"""Logins half done: the password was right, and the second factor is yet to come."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, func, select

from app.core.exceptions import Refused
from app.core.tokens import hash_token, new_token
from app.core.unit_of_work import UnitOfWork
from app.models import LoginChallenge

LIFETIME = 300
"""Seconds in which the second factor has to follow."""


class LoginTooOld(Refused):
    def __init__(self) -> None:
        super().__init__("This login is too old. Begin again with your password")


class LoginChallenges:
    def __init__(self, uow: UnitOfWork) -> None:
        self.uow = uow

    async def mint(self, user_id: UUID) -> str:
        """Make a token that is good for the second step of one login, and for nothing else."""
        token = new_token()
        expires_at = datetime.now(UTC) + timedelta(seconds=LIFETIME)
        self.uow.session.add(
            LoginChallenge(token_hash=hash_token(token), user_id=user_id, expires_at=expires_at)
        )
        return token

    async def look_at(self, token: str) -> UUID:
        """Tell whose login it is. Raises LoginTooOld, for a token that never was one as well."""
        query = select(LoginChallenge.user_id).where(
            LoginChallenge.token_hash == hash_token(token), LoginChallenge.expires_at > func.now()
        )
        user_id = await self.uow.session.scalar(query)
        if user_id is None:
            raise LoginTooOld
        return user_id

    async def use(self, token: str) -> None:
        """Use a token up. Raises LoginTooOld, also for whoever comes second."""
        used = await self.uow.session.scalar(
            delete(LoginChallenge)
            .where(
                LoginChallenge.token_hash == hash_token(token),
                LoginChallenge.expires_at > func.now(),
            )
            .returning(LoginChallenge.user_id)
        )
        if used is None:
            raise LoginTooOld
