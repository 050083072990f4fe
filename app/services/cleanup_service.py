"""Deletes expired rows in batches, each in its own transaction.

A single statement for a month of rows would exceed the statement timeout, and hold its locks until
then.
"""

from collections.abc import Iterator
from datetime import timedelta

from sqlalchemy import ColumnElement, delete, func, inspect, select, tuple_

from app.core.config import Settings
from app.models import (
    ApiKey,
    EmailToken,
    KnownDevice,
    MfaChallenge,
    PersonalDataArchive,
    RefreshToken,
    SecurityAlert,
    UsedLogin,
    UserSession,
)
from app.models.base import Base
from app.services.audit import AuditTrail
from app.services.scope import OpenScope, Scope

BATCH = 1_000
DEVICE_LIFETIME = timedelta(days=400)

Expired = tuple[type[Base], ColumnElement[bool]]


async def delete_expired_rows(open_scope: OpenScope, settings: Settings) -> None:
    """Delete expired sessions, tokens, links, API keys, logins, alerts, archives, and devices.

    Also delete the events of the audit trail that are older than AUDIT_RETENTION.
    """
    for table, condition in _expired(settings):
        deleted = BATCH
        while deleted == BATCH:
            async with open_scope() as scope:
                deleted = await _delete_batch(scope, table, condition)
    deleted = BATCH
    while deleted == BATCH:
        async with open_scope() as scope:
            deleted = await AuditTrail(scope).delete_older_than(settings.audit_retention, BATCH)


def _expired(settings: Settings) -> Iterator[Expired]:
    # A used refresh token stays to detect a copy of it. After the idle lifetime, its session has
    # ended or the token is useless anyway.
    horizon = func.now() - timedelta(seconds=settings.session_idle_lifetime)
    ended = select(UserSession.id).where(UserSession.expires_at <= func.now())
    yield RefreshToken, RefreshToken.used_at <= horizon
    yield RefreshToken, RefreshToken.session_id.in_(ended)
    for table in (
        UserSession,
        EmailToken,
        MfaChallenge,
        UsedLogin,
        ApiKey,
        SecurityAlert,
        PersonalDataArchive,
    ):
        yield table, table.expires_at <= func.now()
    # By then, browsers have deleted the cookie.
    yield KnownDevice, KnownDevice.last_seen_at <= func.now() - DEVICE_LIFETIME


async def _delete_batch(scope: Scope, table: type[Base], condition: ColumnElement[bool]) -> int:
    keys = inspect(table).primary_key
    # A locked row is in use, or another process is deleting it.
    batch = select(*keys).where(condition).limit(BATCH).with_for_update(skip_locked=True)
    # Without MATERIALIZED, a plan may run the subquery once per row and find other rows each time.
    once = batch.cte("batch").prefix_with("MATERIALIZED")
    deleted = await scope.uow.session.scalars(
        delete(table).where(tuple_(*keys).in_(select(once))).returning(keys[0]),
        execution_options={"synchronize_session": False},
    )
    return len(deleted.all())
