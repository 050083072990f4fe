from typing import Annotated

from pydantic import BaseModel, Field

from app.schemas.fields import MailedTokenText, Password, SecretText


class Token(BaseModel):
    """`expires_in` is in seconds. A browser's refresh token is in its cookie, not here."""

    access_token: str
    token_type: str = "bearer"  # noqa: S105  the name of a scheme
    expires_in: int
    refresh_token: str | None = None


class SecondFactorChallenge(BaseModel):
    """A login that is half done. `expires_in` is in seconds; `methods` are what may come next."""

    token: str
    expires_in: int
    methods: list[str] = ["totp", "recovery_code"]


class RefreshRequest(BaseModel):
    refresh_token: Annotated[SecretText, Field(max_length=128)] | None = None


class NewPassword(BaseModel):
    token: MailedTokenText
    new_password: Password


class VerifyEmail(BaseModel):
    token: MailedTokenText
