from typing import Annotated, Self

from pydantic import BaseModel, Field, model_validator

from app.schemas.common import CurrentPassword, EmailTokenText, Password, SecretText
from app.schemas.passkey import PasskeyProof
from app.schemas.second_factor import Code


class Token(BaseModel):
    """The tokens of a login. `expires_in` is in seconds. Browsers get a refresh cookie instead."""

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
    """A new password. `remove_recent` removes credentials that were added within the last week.

    These are second factors, passkeys, and accounts at providers. Set it if the user did not add
    them.
    """

    token: EmailTokenText
    new_password: Password
    remove_recent: bool = False


class VerifyEmail(BaseModel):
    token: EmailTokenText


class ReportTakeover(BaseModel):
    """A report of a takeover. `token` is in the link of an alert."""

    token: EmailTokenText
