from datetime import UTC, datetime, timedelta

from sqlalchemy import bindparam, select
from sqlalchemy.dialects.postgresql import insert

from app.core.security.tokens import hash_token
from app.models import UsedLogin
from app.services.scope import Scope

_USED = select(UsedLogin.secret_hash).where(UsedLogin.secret_hash == bindparam("secret_hash"))


async def is_used(scope: Scope, secret: str) -> bool:
    """Return whether a secret has been used, without using it."""
    return await scope.reader.first(_USED, secret_hash=hash_token(secret)) is not None


async def use_once(scope: Scope, secret: str, *, lifetime: float) -> bool:
    """Store that a secret was used. If two uses race, the second returns False.

    The row is kept for the lifetime of the secret, in seconds.
    """
    used = await scope.uow.session.scalar(
        insert(UsedLogin)
        .values(
            secret_hash=hash_token(secret),
            expires_at=datetime.now(UTC) + timedelta(seconds=lifetime),
        )
        .on_conflict_do_nothing()
        .returning(UsedLogin.secret_hash)
    )
    return used is not None
