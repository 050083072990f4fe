"""Rows that have stopped working are deleted in batches, each in a transaction of its own.

A single statement for a month of rows would run into the statement timeout, and hold its locks
meanwhile.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
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
from app.services.scope import Scope

BATCH = 1_000
DEVICE_LIFETIME = timedelta(days=400)

OpenScope = Callable[[], AbstractAsyncContextManager[Scope]]
Expired = tuple[type[Base], ColumnElement[bool]]


async def delete_expired_rows(open_scope: OpenScope, settings: Settings) -> None:
    """Delete expired sessions, refresh tokens, links, API keys, and unfinished or used logins.

    Delete the events of the audit trail that are older than AUDIT_RETENTION, too.
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
    # A refresh token that was used recognizes its copies. After this time the copy is refused
    # anyway: nothing that is as old as that can still be refreshed.
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
    # What another transaction has locked is in use, or about to be deleted.
    batch = select(*keys).where(condition).limit(BATCH).with_for_update(skip_locked=True)
    # Materialized: a plan may run a subquery once per row, and each run would find another batch.
    once = batch.cte("batch").prefix_with("MATERIALIZED")
    deleted = await scope.uow.session.scalars(
        delete(table).where(tuple_(*keys).in_(select(once))).returning(keys[0]),
        execution_options={"synchronize_session": False},
    )
    return len(deleted.all())
