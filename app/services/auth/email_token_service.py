"""Tokens of emailed links. Each works once, for one purpose, until it expires."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import String, any_, bindparam, delete, func, select
from sqlalchemy.dialects.postgresql import ARRAY, insert

from app.core.exceptions import BadRequest
from app.core.security.tokens import hash_token, new_token
from app.models import EmailToken, Purpose
from app.services.scope import Scope

_IS_VALID = (
    EmailToken.token_hash == bindparam("token_hash"),
    EmailToken.purpose == any_(bindparam("purposes", type_=ARRAY(String))),
    EmailToken.expires_at > func.now(),
)
_USER_OF = select(EmailToken.user_id).where(*_IS_VALID)
_CONSUME = delete(EmailToken).where(*_IS_VALID).returning(EmailToken)


class InvalidToken(BadRequest):
    def __init__(self) -> None:
        super().__init__("Invalid token")


class EmailTokenService:
    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.uow = scope.uow

    async def issue(self, user_id: UUID, purpose: Purpose, *, email: str, lifetime: float) -> str:
        """Create the token of a link, which replaces an earlier one. `lifetime` is in seconds.

        The database stores only its hash. The token itself is only in the email.
        """
        token = new_token()
        values = {
            "token_hash": hash_token(token),
            "email": email,
            "created_at": func.now(),
            "expires_at": datetime.now(UTC) + timedelta(seconds=lifetime),
        }
        row = insert(EmailToken).values(user_id=user_id, purpose=purpose, **values)
        await self.uow.session.execute(
            row.on_conflict_do_update(index_elements=["user_id", "purpose"], set_=values)
        )
        return token

    async def peek(self, token: str, *purposes: Purpose) -> UUID:
        """Return the user of a valid token without consuming it. Raise InvalidToken."""
        user_id = await self.scope.reader.scalar(
            _USER_OF, token_hash=hash_token(token), purposes=purposes
        )
        if user_id is None:
            raise InvalidToken
        return user_id

    async def consume(self, token: str, *purposes: Purpose) -> EmailToken:
        """Consume a token. If two requests race, the second raises InvalidToken."""
        consumed: EmailToken | None = await self.uow.session.scalar(
            _CONSUME, {"token_hash": hash_token(token), "purposes": purposes}
        )
        if consumed is None:
            raise InvalidToken
        return consumed
