from uuid import UUID

from fastapi import APIRouter, status

from app.routes.deps import LoggedIn
from app.routes.services import Administration, SecondFactors
from app.schemas.fields import Message
from app.schemas.second_factor import (
    ConfirmSecondFactor,
    PasswordProof,
    RecoveryCodes,
    SecondFactorStatus,
    TotpSecret,
)

router = APIRouter(prefix="/users", tags=["second-factor"])


@router.get("/me/second-factor")
async def read_second_factor_me(factors: SecondFactors, principal: LoggedIn) -> SecondFactorStatus:
    """Tell whether one has a second factor."""
    return await factors.status(principal.user.id)


@router.post("/me/second-factor", status_code=status.HTTP_201_CREATED)
async def begin_second_factor_me(
    factors: SecondFactors, principal: LoggedIn, body: PasswordProof
) -> TotpSecret:
    """Get the secret for an authenticator app. It counts once a first code has confirmed it."""
    return await factors.begin(principal, body.current_password.get_secret_value())


@router.post("/me/second-factor/confirm")
async def confirm_second_factor_me(
    factors: SecondFactors, principal: LoggedIn, body: ConfirmSecondFactor
) -> RecoveryCodes:
    """Confirm the app with its first code. All other sessions end."""
    codes = await factors.confirm(principal, body.code.get_secret_value())
    return RecoveryCodes(recovery_codes=codes)


@router.post("/me/second-factor/recovery-codes")
async def renew_recovery_codes_me(
    factors: SecondFactors, principal: LoggedIn, body: PasswordProof
) -> RecoveryCodes:
    """Get new recovery codes; earlier ones are good no longer."""
    codes = await factors.renew_recovery_codes(principal, body.current_password.get_secret_value())
    return RecoveryCodes(recovery_codes=codes)


@router.post("/me/second-factor/disable")
async def disable_second_factor_me(
    factors: SecondFactors, principal: LoggedIn, body: PasswordProof
) -> Message:
    """Log in with the password alone from now on."""
    await factors.disable(principal, body.current_password.get_secret_value())
    return Message(message="Second factor removed")


@router.delete("/{user_id}/second-factor")
async def remove_second_factor(administration: Administration, user_id: UUID) -> Message:
    """Take the second factor away from a user who has lost it."""
    await administration.remove_second_factor(user_id)
    return Message(message="Second factor removed")
