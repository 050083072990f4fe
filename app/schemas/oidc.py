from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from app.schemas.fields import CurrentPassword

PATH = r"^/([A-Za-z0-9_.~%!$'()*+,;=:@&?-][A-Za-z0-9_.~%!$'()*+,;=:@&?/-]*)?$"

LocalPath = Annotated[str, StringConstraints(max_length=512, pattern=PATH)]
"""A path with a query: `//evil.example.com` and what browsers take for it are none."""


class OidcProviderPublic(BaseModel):
    """A provider that people may log in with: send their browser to `login_url`."""

    name: str
    login_url: str


class Redirection(BaseModel):
    """Where the browser is to go, with the cookie that came along."""

    authorization_url: str


class LinkIdentity(BaseModel):
    """`current_password` is asked of whoever has one. `path` is where the browser ends up."""

    current_password: CurrentPassword | None = None
    path: LocalPath = "/"


class OwnIdentity(BaseModel):
    """Who one is to a provider, under the address that it knew."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    provider: str
    email: str
    created_at: datetime
    last_used_at: datetime | None


class ProvenIdentity(BaseModel):
    """What a provider vouches for. Without its word, there is no address."""

    provider: str
    subject: Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^\x00]+$")]
    email: str | None = None
    full_name: str | None = None
