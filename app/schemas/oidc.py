from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from app.schemas.common import CurrentPassword

PATH = r"^/([A-Za-z0-9_.~%!$'()*+,;=:@&?-][A-Za-z0-9_.~%!$'()*+,;=:@&?/-]*)?$"

MAX_LOCAL_PATH = 512

ProviderName = Annotated[str, Field(max_length=32)]
LocalPath = Annotated[str, StringConstraints(max_length=MAX_LOCAL_PATH, pattern=PATH)]
"""A path with a query. `//evil.example.com`, and what browsers take for it, do not match."""


class OidcProviderPublic(BaseModel):
    """A provider that users can log in with. Send their browser to `login_url`."""

    name: str
    login_url: str


class Redirection(BaseModel):
    """Where to send the browser, which has received a cookie."""

    authorization_url: str


class LinkIdentity(BaseModel):
    """The browser ends at `path`.

    `current_password` is not needed where the user has proven recently who they are.
    """

    current_password: CurrentPassword | None = None
    path: LocalPath = "/"


class OwnIdentity(BaseModel):
    """The user's account at a provider, with the email that the provider knew."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    provider: str
    email: str
    created_at: datetime
    last_used_at: datetime | None


class VerifiedIdentity(BaseModel):
    """What a provider vouches for. It has no email that the provider has not verified."""

    provider: str
    subject: Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^\x00]+$")]
    email: str | None = None
    full_name: str | None = None
