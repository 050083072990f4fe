from typing import Annotated, Self

from pydantic import BaseModel, Field, model_validator

from app.schemas.common import CurrentPassword, SecretText
from app.schemas.passkey import PasskeyProof

Code = Annotated[SecretText, Field(min_length=1, max_length=64)]
"""Six digits of an app, or a recovery code. Spaces and hyphens are ignored."""


ChallengeToken = Annotated[SecretText, Field(max_length=128)]


class PasswordProof(BaseModel):
    """`current_password` is not needed if the user has recently proven who they are."""

    current_password: CurrentPassword | None = None


class ConfirmSecondFactor(BaseModel):
    code: Code


class SecondFactorLogin(BaseModel):
    """The second step of a login. `token` is from the response to the first step.

    Send a `code` or a `passkey` with it.
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
    """The user's second factors. `methods` has `totp`, `passkey`, or both."""

    enabled: bool
    methods: list[str]
    recovery_codes_left: int


class TotpSecret(BaseModel):
    """The secret of an app, which is shown once. `otpauth_uri` is for a QR code."""

    secret: str
    otpauth_uri: str


class RecoveryCodes(BaseModel):
    """Recovery codes, which are shown once. Each code works once."""

    recovery_codes: list[str]
