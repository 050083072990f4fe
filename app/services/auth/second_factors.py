"""The kinds of second factor that a user has. A login with a password asks for any of them."""

from uuid import UUID

from sqlalchemy import bindparam, exists, select

from app.models import Passkey, TotpFactor
from app.services.auth.recovery_code_service import RecoveryCodeService
from app.services.scope import Scope

_FACTORS = select(
    exists().where(
        TotpFactor.user_id == bindparam("user_id"), TotpFactor.confirmed_at.is_not(None)
    ),
    exists().where(Passkey.user_id == bindparam("user_id")),
)


async def second_factors_of(scope: Scope, user_id: UUID) -> list[str]:
    """Return `totp`, `passkey`, both, or neither."""
    found = await scope.uow.first(_FACTORS, user_id=user_id)
    assert found is not None
    has_totp, has_passkey = found
    kinds = {"totp": has_totp, "passkey": has_passkey}
    return [kind for kind, has in kinds.items() if has]


async def delete_codes_without_factor(scope: Scope, user_id: UUID) -> None:
    """Delete the recovery codes of a user who has removed the last second factor."""
    if not await second_factors_of(scope, user_id):
        await RecoveryCodeService(scope).delete_all(user_id)
