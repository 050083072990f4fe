"""Links in mails: good once, for a while, and for nothing but their purpose."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, delete, func, select
from sqlalchemy.dialects.postgresql import insert

from app.core.exceptions import Refused
from app.core.tokens import hash_token, new_token
from app.core.unit_of_work import UnitOfWork
from app.models import MailedToken, Purpose


class InvalidToken(Refused):
    def __init__(self) -> None:
        super().__init__("Invalid token")


class MailedTokenService:
    def __init__(self, uow: UnitOfWork) -> None:
        self.uow = uow

    async def mint(self, user_id: UUID, purpose: Purpose, *, email: str, lifetime: float) -> str:
        """Make the token of a link, in the place of an earlier one; `lifetime` is in seconds.

        The database knows its hash only: the mail is the one place where it stands.
        """
        token = new_token()
        values = {
            "token_hash": hash_token(token),
            "email": email,
            "created_at": func.now(),
            "expires_at": datetime.now(UTC) + timedelta(seconds=lifetime),
        }
        row = insert(MailedToken).values(user_id=user_id, purpose=purpose, **values)
        await self.uow.session.execute(
            row.on_conflict_do_update(index_elements=["user_id", "purpose"], set_=values)
        )
        return token

    async def look_at(self, token: str, *purposes: Purpose) -> MailedToken:
        """Tell what a token is good for, without using it. Raises InvalidToken."""
        found = await self.uow.session.scalar(
            select(MailedToken).where(*self._good(token, purposes))
        )
        return self._known(found)

    async def use(self, token: str, *purposes: Purpose) -> MailedToken:
        """Use a token up. Raises InvalidToken, also for whoever comes second."""
        used = await self.uow.session.scalar(
            delete(MailedToken).where(*self._good(token, purposes)).returning(MailedToken)
        )
        return self._known(used)

    async def forget(self, user_id: UUID) -> None:
        """Make every link that a user was sent useless."""
        await self.uow.session.execute(delete(MailedToken).where(MailedToken.user_id == user_id))

    def _good(self, token: str, purposes: tuple[Purpose, ...]) -> tuple[ColumnElement[bool], ...]:
        return (
            MailedToken.token_hash == hash_token(token),
            MailedToken.purpose.in_(purposes),
            MailedToken.expires_at > func.now(),
        )

    def _known(self, token: MailedToken | None) -> MailedToken:
        if token is None:
            raise InvalidToken
        return token
