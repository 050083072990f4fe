from datetime import datetime
from typing import ClassVar
from uuid import UUID

from sqlalchemy import DateTime, func
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from uuid_utils.compat import uuid7

from app.core.database import metadata


class Base(DeclarativeBase):
    """The root of all models."""

    metadata = metadata
    type_annotation_map: ClassVar = {datetime: DateTime(timezone=True)}


class Identified:
    """A UUIDv7 key, which is created in Python, globally unique, and sorted by creation time."""

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)


class Timestamped:
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())
