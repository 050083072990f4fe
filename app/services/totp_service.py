"""Authenticator apps: a secret that user and service share, and codes that it makes."""

from datetime import UTC, datetime
from uuid import UUID

import structlog
from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert

from app.core.config import Settings
from app.core.exceptions import Conflict, NotFound, Refused
from app.core.sealing import Unreadable, seal, unseal
from app.core.totp import current_step, find_step, new_secret
from app.core.unit_of_work import UnitOfWork
from app.models import TotpFactor
from app.services.recovery_code_service import plain

PURPOSE = "totp secret"
MAX_FAILURES = 100
"""NIST SP 800-63B allows so many wrong codes in a row. After them, only a recovery code helps."""

log = structlog.stdlib.get_logger(__name__)


class SecondFactorExists(Conflict):
    def __init__(self) -> None:
        super().__init__("Second factor is set up already")


class SecondFactorNotFound(NotFound):
    def __init__(self) -> None:
        super().__init__("Second factor not found")


class IncorrectCode(Refused):
    def __init__(self) -> None:
        super().__init__("Incorrect code")


class TotpService:
    def __init__(self, uow: UnitOfWork, settings: Settings) -> None:
        self.uow = uow
        self.settings = settings

    async def is_set_up(self, user_id: UUID) -> bool:
        """Tell whether a user has a factor that counts."""
        query = select(TotpFactor.user_id).where(
            TotpFactor.user_id == user_id, TotpFactor.confirmed_at.is_not(None)
        )
        return await self.uow.session.scalar(query) is not None

    async def require(self, user_id: UUID) -> None:
        """Hold a factor that counts until the commit. Raises SecondFactorNotFound."""
        factor = await self._locked(user_id)
        if factor is None or factor.confirmed_at is None:
            raise SecondFactorNotFound

    async def begin(self, user_id: UUID) -> bytes:
        """Make a secret, which waits for its first code, in the place of one that waits still.

        Raises SecondFactorExists.
        """
        secret = new_secret()
        values = {
            "sealed_secret": seal(self.settings, PURPOSE, secret, owner=user_id),
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
        """Let a secret count from now on.

        Raises SecondFactorNotFound, SecondFactorExists and IncorrectCode.
        """
        factor = await self._locked(user_id)
        if factor is None:
            raise SecondFactorNotFound
        if factor.confirmed_at is not None:
            raise SecondFactorExists
        if not self._accept(factor, code):
            raise IncorrectCode
        factor.confirmed_at = datetime.now(UTC)

    async def accepts(self, user_id: UUID, code: str) -> bool:
        """Tell whether a code is good, and remember it: it is not so a second time.

        Of the same code, sent several times at once, the first holds the row until it commits.
        """
        factor = await self._locked(user_id)
        if factor is None or factor.confirmed_at is None or factor.failures >= MAX_FAILURES:
            return False
        if self._accept(factor, code):
            factor.failures = 0
            return True
        factor.failures += 1
        return False

    async def forgive(self, user_id: UUID) -> None:
        """Forget the wrong codes: the owner has shown up."""
        if (factor := await self._locked(user_id)) is not None:
            factor.failures = 0

    async def remove(self, user_id: UUID) -> None:
        """Raises SecondFactorNotFound, also where there is one that never counted."""
        removed = await self.uow.session.scalar(
            delete(TotpFactor)
            .where(TotpFactor.user_id == user_id, TotpFactor.confirmed_at.is_not(None))
            .returning(TotpFactor.user_id)
        )
        if removed is None:
            raise SecondFactorNotFound

    async def _locked(self, user_id: UUID) -> TotpFactor | None:
        query = select(TotpFactor).where(TotpFactor.user_id == user_id).with_for_update()
        # What this session has read before may be older than the lock.
        return await self.uow.session.scalar(query.execution_options(populate_existing=True))

    def _accept(self, factor: TotpFactor, code: str) -> bool:
        try:
            secret = unseal(self.settings, PURPOSE, factor.sealed_secret, owner=factor.user_id)
        except Unreadable:
            log.exception("second_factor.unreadable", user_id=str(factor.user_id))
            return False
        step = find_step(secret, plain(code), now=current_step(), after=factor.last_step)
        if step is None:
            return False
        factor.last_step = step
        return True
