from typing import Annotated, Self

from pydantic import BaseModel, Field, model_validator

from app.schemas.common import CurrentPassword, SecretText
from app.schemas.passkey import PasskeyProof

Code = Annotated[SecretText, Field(min_length=1, max_length=64)]
"""Six digits of an app, or a recovery code. Spaces and hyphens do not matter."""


ChallengeToken = Annotated[SecretText, Field(max_length=128)]


class PasswordProof(BaseModel):
    """`current_password` is not needed where the user has proven recently who they are."""

    current_password: CurrentPassword | None = None


class ConfirmSecondFactor(BaseModel):
    code: Code


class SecondFactorLogin(BaseModel):
    """`token` comes from the answer to the first step of the login.

    Beside it is a `code` or a `passkey`.
    """

    token: ChallengeToken
    code: Code | None = None
    passkey: PasskeyProof | None = None

    @model_validator(mode="after")
    def _check_is_one(self) -> Self:
        if (self.code is None) == (self.passkey is None):
            raise ValueError("must contain either code or passkey")
        return self


class SecondFactorToken(BaseModel):
    token: ChallengeToken


class SecondFactorStatus(BaseModel):
    """`methods` are the factors that the user has: `totp`, `passkey`, or both."""

    enabled: bool
    methods: list[str]
    recovery_codes_left: int


class TotpSecret(BaseModel):
    """Shown once. `otpauth_uri` is for a QR code, `secret` for typing."""

    secret: str
    otpauth_uri: str


class RecoveryCodes(BaseModel):
    """Shown once. Each code works once."""

    recovery_codes: list[str]
