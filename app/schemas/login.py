from typing import Annotated, Self

from pydantic import BaseModel, Field, model_validator

from app.schemas.common import CurrentPassword, EmailTokenText, Password, SecretText
from app.schemas.passkey import PasskeyProof
from app.schemas.second_factor import Code


class Token(BaseModel):
    """`expires_in` is in seconds. A browser's refresh token is in its cookie instead."""

    access_token: str
    token_type: str = "bearer"  # noqa: S105  a scheme
    expires_in: int
    refresh_token: str | None = None


class RefreshRequest(BaseModel):
    refresh_token: Annotated[SecretText, Field(max_length=128)] | None = None


class Reauthentication(BaseModel):
    """One proof: the password, a code of the second factor, or a passkey."""

    password: CurrentPassword | None = None
    code: Code | None = None
    passkey: PasskeyProof | None = None

    @model_validator(mode="after")
    def _check_is_one(self) -> Self:
        if [self.password, self.code, self.passkey].count(None) != 2:  # noqa: PLR2004
            raise ValueError("must contain one of password, code, and passkey")
        return self


class NewPassword(BaseModel):
    """`remove_recent` removes what was added within a week to log in, if the user did not add it.

    These are second factors, passkeys, and accounts at providers.
    """

    token: EmailTokenText
    new_password: Password
    remove_recent: bool = False


class VerifyEmail(BaseModel):
    token: EmailTokenText


class ReportTakeover(BaseModel):
    """`token` is in the link of an alert."""

    token: EmailTokenText
