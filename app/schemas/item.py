from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, StringConstraints

from app.schemas.common import Changes, Page, Text

Title = Annotated[Text, StringConstraints(min_length=1, max_length=255)]
Description = Annotated[Text, StringConstraints(max_length=255)]


class ItemCreate(BaseModel):
    title: Title
    description: Description | None = None


class ItemUpdate(Changes):
    nullable = frozenset({"description"})

    title: Title | None = None
    description: Description | None = None


class ItemPublic(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    title: str
    description: str | None
    owner_id: UUID
    created_at: datetime


class ItemsPublic(Page[ItemPublic]):
    """A page of items, with the schema name that front ends expect."""
