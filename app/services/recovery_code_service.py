"""Recovery codes: what lets a user in who has lost the second factor."""

import secrets
from uuid import UUID

from sqlalchemy import delete, func, select

from app.core.tokens import hash_token
from app.core.unit_of_work import UnitOfWork
from app.models import RecoveryCode

HOW_MANY = 10
ALPHABET = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
"""Without the letters and digits that people take for one another."""

GROUPS, GROUP_LENGTH = 4, 5
"""Twenty characters are 99 random bits: one pass of SHA-256 leaves nothing to guess."""


class RecoveryCodeService:
    def __init__(self, uow: UnitOfWork) -> None:
        self.uow = uow

    async def renew(self, user_id: UUID) -> list[str]:
        """Make new codes in the place of all earlier ones. Only their hashes are kept."""
        await self.forget(user_id)
        codes = [_new_code() for _ in range(HOW_MANY)]
        self.uow.session.add_all(
            RecoveryCode(user_id=user_id, code_hash=_hash(code)) for code in codes
        )
        await self.uow.session.flush()
        return codes

    async def use(self, user_id: UUID, code: str) -> bool:
        """Use a code up; say whether it was good. Of several at once, one is the first."""
        used = await self.uow.session.scalar(
            delete(RecoveryCode)
            .where(RecoveryCode.user_id == user_id, RecoveryCode.code_hash == _hash(code))
            .returning(RecoveryCode.user_id)
        )
        return used is not None

    async def count(self, user_id: UUID) -> int:
        query = select(func.count()).where(RecoveryCode.user_id == user_id)
        return await self.uow.session.scalar(query) or 0

    async def forget(self, user_id: UUID) -> None:
        await self.uow.session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))


def _new_code() -> str:
    groups = ("".join(secrets.choice(ALPHABET) for _ in range(GROUP_LENGTH)) for _ in range(GROUPS))
    return "-".join(groups)


def _hash(code: str) -> bytes:
    return hash_token(plain(code).upper())


def plain(code: str) -> str:
    """Leave out what people put between the characters of a code."""
    return code.replace("-", "").replace(" ", "")
