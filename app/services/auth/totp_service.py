"""Authenticator apps: a secret that the user and the service share, and codes made from it."""

from datetime import UTC, datetime
from uuid import UUID

import structlog
from sqlalchemy import bindparam, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from app.core.exceptions import BadRequest, Conflict, NotFound
from app.core.security.encryption import Decrypted, DecryptionFailed, decrypt, encrypt
from app.core.security.totp import current_step, find_step, new_secret
from app.models import TotpFactor
from app.services.auth.recovery_code_service import without_separators
from app.services.scope import Scope

PURPOSE = "totp secret"
MAX_FAILURES = 100
"""NIST SP 800-63B allows this many wrong codes in a row. Then only a recovery code works."""

log = structlog.stdlib.get_logger(__name__)

_CONFIRMED = (
    TotpFactor.user_id == bindparam("user_id"),
    TotpFactor.confirmed_at.is_not(None),
)
_USABLE = select(TotpFactor.encrypted_secret, TotpFactor.last_step).where(
    *_CONFIRMED, TotpFactor.failures < MAX_FAILURES
)


class SecondFactorExists(Conflict):
    def __init__(self) -> None:
        super().__init__("Second factor is already set up")


class SecondFactorNotFound(NotFound):
    def __init__(self) -> None:
        super().__init__("Second factor not found")


class IncorrectCode(BadRequest):
    def __init__(self) -> None:
        super().__init__("Incorrect code")


class TotpService:
    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.uow = scope.uow

    async def begin(self, user_id: UUID) -> bytes:
        """Store a new secret, which replaces one that was never confirmed.

        Raise SecondFactorExists.
        """
        secret = new_secret()
        values = {
            "encrypted_secret": encrypt(self.scope.settings, PURPOSE, secret, owner=user_id),
            "created_at": func.now(),
        }
        row = insert(TotpFactor).values(user_id=user_id, **values)
        begun = await self.uow.session.scalar(
            row.on_conflict_do_update(
                index_elements=["user_id"], set_=values, where=TotpFactor.confirmed_at.is_(None)
            ).returning(TotpFactor.user_id)
        )
        if begun is None:
            raise SecondFactorExists
        return secret

    async def confirm(self, user_id: UUID, code: str) -> None:
        """Confirm the secret with its first code. From now on, logins need a code.

        Raise SecondFactorNotFound, SecondFactorExists, or IncorrectCode.
        """
        factor = await self._lock(user_id)
        if factor is None:
            raise SecondFactorNotFound
        if factor.confirmed_at is not None:
            raise SecondFactorExists
        step = self._find_step(user_id, factor.encrypted_secret, factor.last_step, code)
        if step is None:
            raise IncorrectCode
        factor.last_step, factor.confirmed_at = step, datetime.now(UTC)

    async def peek(self, user_id: UUID, code: str) -> bool:
        """Return whether a code is correct, without consuming it."""
        row = await self.scope.reader.first(_USABLE, user_id=user_id)
        return row is not None and self._find_step(user_id, *row, code) is not None

    async def consume(self, user_id: UUID, code: str) -> bool:
        """Consume a code, and return whether it was correct.

        If requests with the same code race, the first locks the row until it commits.
        """
        factor = await self._lock(user_id)
        if factor is None or factor.confirmed_at is None or factor.failures >= MAX_FAILURES:
            return False
        step = self._find_step(user_id, factor.encrypted_secret, factor.last_step, code)
        if step is None:
            return False
        factor.last_step, factor.failures = step, 0
        self._reencrypt_if_outdated(factor)
        return True

    async def count_failure(self, user_id: UUID) -> None:
        await self.uow.session.execute(
            update(TotpFactor)
            .where(TotpFactor.user_id == user_id, TotpFactor.confirmed_at.is_not(None))
            .values(failures=TotpFactor.failures + 1)
        )

    async def reset_failures(self, user_id: UUID) -> None:
        """Reset the count of wrong codes after the owner has used a recovery code."""
        await self.uow.session.execute(
            update(TotpFactor).where(TotpFactor.user_id == user_id).values(failures=0)
        )

    async def remove(self, user_id: UUID) -> None:
        """Delete a confirmed factor. Raise SecondFactorNotFound."""
        removed = await self.uow.session.scalar(
            delete(TotpFactor)
            .where(TotpFactor.user_id == user_id, TotpFactor.confirmed_at.is_not(None))
            .returning(TotpFactor.user_id)
        )
        if removed is None:
            raise SecondFactorNotFound

    def _reencrypt_if_outdated(self, factor: TotpFactor) -> None:
        secret, is_outdated = self._decrypt(factor.user_id, factor.encrypted_secret)
        if is_outdated:
            factor.encrypted_secret = encrypt(
                self.scope.settings, PURPOSE, secret, owner=factor.user_id
            )

    def _decrypt(self, user_id: UUID, encrypted_secret: bytes) -> Decrypted:
        return decrypt(self.scope.settings, PURPOSE, encrypted_secret, owner=user_id)

    async def _lock(self, user_id: UUID) -> TotpFactor | None:
        query = select(TotpFactor).where(TotpFactor.user_id == user_id).with_for_update()
        # This database session may have read the row before the lock.
        return await self.uow.session.scalar(query.execution_options(populate_existing=True))

    def _find_step(
        self, user_id: UUID, encrypted_secret: bytes, last_step: int, code: str
    ) -> int | None:
        """Return the time step of a code, or None if the code is wrong or older than the last."""
        try:
            secret = self._decrypt(user_id, encrypted_secret).secret
        except DecryptionFailed:
            log.exception("second_factor.unreadable", user_id=str(user_id))
            return None
        return find_step(secret, without_separators(code), now=current_step(), after=last_step)
