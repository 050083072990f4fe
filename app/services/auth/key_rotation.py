"""Re-encryption of all secrets with the current SECRET_KEY, so that earlier keys can be removed."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import Select, func, select, update
from sqlalchemy.orm import InstrumentedAttribute

from app.core.config import Settings
from app.core.security.encryption import DecryptionFailed, decrypt, encrypt
from app.models import TotpFactor
from app.models.base import Base
from app.services.auth import totp_service
from app.services.scope import OpenScope, Scope

BATCH = 500
FIRST = UUID(int=0)


@dataclass(frozen=True, slots=True)
class EncryptedColumn:
    """A column of encrypted secrets. Each is bound to its `owner`, the table's primary key."""

    title: str
    table: type[Base]
    secret: InstrumentedAttribute[bytes]
    owner: InstrumentedAttribute[UUID]
    purpose: str


ENCRYPTED_COLUMNS = (
    EncryptedColumn(
        "second factors",
        TotpFactor,
        TotpFactor.encrypted_secret,
        TotpFactor.user_id,
        totp_service.PURPOSE,
    ),
)
"""Every column whose name starts with `encrypted_`. A test fails for a missing one."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How many secrets of a column were read, re-encrypted, or found unreadable."""

    title: str
    total: int
    done: int = 0
    renewed: int = 0
    unreadable: int = 0


async def reencrypt(open_scope: OpenScope) -> AsyncIterator[Progress]:
    """Re-encrypt what an earlier key has encrypted. Yield the progress after every batch.

    Each batch is a transaction, so a login waits for its row at most as long as one batch takes.
    """
    for column in ENCRYPTED_COLUMNS:
        async with open_scope() as scope:
            count = select(func.count()).select_from(column.table)
            progress = Progress(column.title, total=await scope.uow.session.scalar(count) or 0)
        yield progress
        after: UUID | None = FIRST
        while after is not None:
            async with open_scope() as scope:
                after, progress = await _encrypt_batch(scope, column, after, progress)
            yield progress


def last_use_of_earlier_key(settings: Settings) -> datetime:
    """Return when the last token that an earlier key has signed expires."""
    lifetime = max(settings.access_token_lifetime, settings.oidc_login_lifetime)
    return datetime.now(UTC) + timedelta(seconds=lifetime)


async def _encrypt_batch(
    scope: Scope, column: EncryptedColumn, after: UUID, progress: Progress
) -> tuple[UUID | None, Progress]:
    """Return the last owner of the batch, or None at the end, and the progress."""
    rows = (await scope.uow.session.execute(_batch(column, after))).all()
    renewed = unreadable = 0
    for owner, encrypted in rows:
        try:
            secret, is_outdated = decrypt(scope.settings, column.purpose, encrypted, owner=owner)
        except DecryptionFailed:
            unreadable += 1
            continue
        if is_outdated:
            renewed_secret = encrypt(scope.settings, column.purpose, secret, owner=owner)
            change = update(column.table).where(column.owner == owner)
            await scope.uow.session.execute(change.values({column.secret: renewed_secret}))
            renewed += 1
    last = rows[-1][0] if len(rows) == BATCH else None
    return last, Progress(
        progress.title,
        progress.total,
        progress.done + len(rows),
        progress.renewed + renewed,
        progress.unreadable + unreadable,
    )


def _batch(column: EncryptedColumn, after: UUID) -> Select[UUID, bytes]:
    return (
        select(column.owner, column.secret)
        .where(column.owner > after)
        .order_by(column.owner)
        .limit(BATCH)
        .with_for_update()
    )
