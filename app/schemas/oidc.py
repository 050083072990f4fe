from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from app.schemas.common import CurrentPassword

PATH = r"^/([A-Za-z0-9_.~%!$'()*+,;=:@&?-][A-Za-z0-9_.~%!$'()*+,;=:@&?/-]*)?$"

MAX_LOCAL_PATH = 512

ProviderName = Annotated[str, Field(max_length=32)]
LocalPath = Annotated[str, StringConstraints(max_length=MAX_LOCAL_PATH, pattern=PATH)]
"""A path with an optional query. URLs of other hosts, such as `//example.com`, do not match."""


class OidcProviderPublic(BaseModel):
    """A provider with which users can log in. Redirect the browser to `login_url`."""

    name: str
    login_url: str


class Redirection(BaseModel):
    """The URL to which the browser must be redirected. The response also sets a cookie."""

    authorization_url: str


class LinkIdentity(BaseModel):
    """A link to a provider. Afterwards, the browser returns to `path`.

    `current_password` is not needed if the user has recently proven who they are.
    """

    current_password: CurrentPassword | None = None
    path: LocalPath = "/"


class OwnIdentity(BaseModel):
    """The user's account at a provider, with the email from the provider."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    provider: str
    email: str
    created_at: datetime
    last_used_at: datetime | None


class VerifiedIdentity(BaseModel):
    """The identity from a provider. `email` is None unless the provider has verified it."""

    provider: str
    subject: Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^\x00]+$")]
    email: str | None = None
    full_name: str | None = None
