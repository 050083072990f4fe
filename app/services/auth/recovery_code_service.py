"""Recovery codes, for users who have lost their second factor."""

import secrets
from uuid import UUID

from sqlalchemy import bindparam, delete, func, select

from app.core.security.tokens import hash_token
from app.models import RecoveryCode
from app.services.scope import Scope

CODE_COUNT = 10
ALPHABET = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
"""It leaves out letters and digits that look alike."""

GROUPS, GROUP_LENGTH = 4, 5
"""Twenty characters are 99 random bits: after one pass of SHA-256, guessing is hopeless."""

_CODE = select(RecoveryCode.user_id).where(
    RecoveryCode.user_id == bindparam("user_id"), RecoveryCode.code_hash == bindparam("code_hash")
)


class RecoveryCodeService:
    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.uow = scope.uow

    async def renew(self, user_id: UUID) -> list[str]:
        """Replace all codes of a user with new ones. Only their hashes are stored."""
        await self.delete_all(user_id)
        codes = [new_code() for _ in range(CODE_COUNT)]
        self.uow.session.add_all(
            RecoveryCode(user_id=user_id, code_hash=hash_code(code)) for code in codes
        )
        await self.uow.session.flush()
        return codes

    async def peek(self, user_id: UUID, code: str) -> bool:
        """Return whether a code is correct, without consuming it."""
        row = await self.scope.reader.first(_CODE, user_id=user_id, code_hash=hash_code(code))
        return row is not None

    async def consume(self, user_id: UUID, code: str) -> bool:
        """Consume a code. Return whether it was correct; if requests race, only one gets True."""
        consumed = await self.uow.session.scalar(
            delete(RecoveryCode)
            .where(RecoveryCode.user_id == user_id, RecoveryCode.code_hash == hash_code(code))
            .returning(RecoveryCode.user_id)
        )
        return consumed is not None

    async def count(self, user_id: UUID) -> int:
        query = select(func.count()).where(RecoveryCode.user_id == user_id)
        return await self.uow.session.scalar(query) or 0

    async def delete_all(self, user_id: UUID) -> None:
        await self.uow.session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))


def without_separators(code: str) -> str:
    return code.replace("-", "").replace(" ", "")


def new_code() -> str:
    groups = ("".join(secrets.choice(ALPHABET) for _ in range(GROUP_LENGTH)) for _ in range(GROUPS))
    return "-".join(groups)


def hash_code(code: str) -> bytes:
    return hash_token(without_separators(code).upper())
