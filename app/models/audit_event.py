from datetime import datetime
from uuid import UUID

from pydantic import JsonValue
from sqlalchemy import Index, String, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Identified


class AuditEvent(Identified, Base):
    """An event of the audit trail. Database triggers reject changes and deletions.

    Only two database functions can change it: `delete_audit_events` deletes events that are older
    than 30 days, and `anonymize_audit_events` anonymizes a deleted user. The ids are not foreign
    keys, because events stay after their users are deleted.
    """

    __tablename__ = "audit_events"

    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    event: Mapped[str] = mapped_column(String(64))
    actor_id: Mapped[UUID | None]
    user_id: Mapped[UUID | None]
    ip_address: Mapped[str] = mapped_column("address", String(45), key="ip_address")
    user_agent: Mapped[str] = mapped_column(String(255))
    request_id: Mapped[str | None] = mapped_column(String(64))
    details: Mapped[dict[str, JsonValue]] = mapped_column(JSONB)


Index("ix_audit_events_user_id_id", AuditEvent.user_id, AuditEvent.id)
Index(
    "ix_audit_events_actor_id",
    AuditEvent.actor_id,
    postgresql_where=AuditEvent.actor_id.is_distinct_from(AuditEvent.user_id),
)
