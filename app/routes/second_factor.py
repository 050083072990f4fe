"""Authenticator apps and recovery codes."""

from uuid import UUID

from fastapi import Depends, status

from app.core.http.routing import Router
from app.routes.deps.principals import (
    SuperuserScope,
    UserScope,
    requires_recent,
    usable_without_second_factor,
)
from app.schemas.common import Message
from app.schemas.second_factor import (
    ConfirmSecondFactor,
    PasswordProof,
    RecoveryCodes,
    SecondFactorStatus,
    TotpSecret,
)
from app.services.admin_service import AdminService
from app.services.auth.second_factor_service import SecondFactorService

router = Router(prefix="/users", tags=["second_factor"])


@router.get("/me/second-factor")
@usable_without_second_factor
async def read_second_factor_me(scope: UserScope) -> SecondFactorStatus:
    """Show whether the user has a second factor."""
    return await SecondFactorService(scope).status()


@router.post("/me/second-factor", status_code=status.HTTP_201_CREATED)
@usable_without_second_factor
async def begin_second_factor_me(scope: UserScope, data: PasswordProof) -> TotpSecret:
    """Return a new secret for an authenticator app. The app's first code must confirm it."""
    return await SecondFactorService(scope).begin(data.current_password)


@router.post("/me/second-factor/confirm")
@usable_without_second_factor
async def confirm_second_factor_me(scope: UserScope, data: ConfirmSecondFactor) -> RecoveryCodes:
    """Confirm the app with its first code. All other sessions end."""
    codes = await SecondFactorService(scope).confirm(data.code.get_secret_value())
    return RecoveryCodes(recovery_codes=codes)


@router.post("/me/second-factor/recovery-codes")
@usable_without_second_factor
async def renew_recovery_codes_me(scope: UserScope, data: PasswordProof) -> RecoveryCodes:
    """Return new recovery codes. Earlier ones stop working."""
    codes = await SecondFactorService(scope).renew_recovery_codes(data.current_password)
    return RecoveryCodes(recovery_codes=codes)


@router.post("/me/second-factor/disable")
@usable_without_second_factor
async def disable_second_factor_me(scope: UserScope, data: PasswordProof) -> Message:
    """Remove the second factor. From now on, the password alone logs in."""
    await SecondFactorService(scope).disable(data.current_password)
    return Message(message="Second factor removed")


@router.delete("/{user_id}/second-factor", dependencies=[Depends(requires_recent(minutes=5))])
async def remove_second_factor(scope: SuperuserScope, user_id: UUID) -> Message:
    """Remove the second factor of a user who has lost it."""
    await AdminService(scope).remove_second_factor(user_id)
    return Message(message="Second factor removed")
