from datetime import datetime
from uuid import UUID

from pydantic import JsonValue
from sqlalchemy import Index, String, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Identified


class AuditEvent(Identified, Base):
    """What happened to an account. A trigger of the database refuses changes and deletions.

    The ids are no foreign keys: the trail outlives the people in it.
    """

    __tablename__ = "audit_events"

    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    event: Mapped[str] = mapped_column(String(64))
    actor_id: Mapped[UUID | None]
    user_id: Mapped[UUID | None]
    address: Mapped[str] = mapped_column(String(45))
    user_agent: Mapped[str] = mapped_column(String(255))
    request_id: Mapped[str | None] = mapped_column(String(64))
    details: Mapped[dict[str, JsonValue]] = mapped_column(JSONB)


Index("ix_audit_events_user_id_id", AuditEvent.user_id, AuditEvent.id)
