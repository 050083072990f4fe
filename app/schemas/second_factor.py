from typing import Annotated

from pydantic import BaseModel, Field

from app.schemas.fields import CurrentPassword, SecretText

Code = Annotated[SecretText, Field(min_length=1, max_length=64)]
"""Six digits of an app, or a recovery code. Spaces and hyphens do not count."""


class PasswordProof(BaseModel):
    current_password: CurrentPassword


class ConfirmSecondFactor(BaseModel):
    code: Code


class SecondFactorLogin(BaseModel):
    """`token` is what the first step of the login answered."""

    token: Annotated[SecretText, Field(max_length=128)]
    code: Code


class SecondFactorStatus(BaseModel):
    enabled: bool
    recovery_codes_left: int


class TotpSecret(BaseModel):
    """Shown once. `otpauth_uri` is for a QR code, `secret` for typing it in."""

    secret: str
    otpauth_uri: str


class RecoveryCodes(BaseModel):
    """Shown once. Each lets one in once."""

    recovery_codes: list[str]
