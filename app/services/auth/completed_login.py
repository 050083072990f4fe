"""The last step of every login, after the user has proven who they are."""

from datetime import UTC, datetime

from pydantic import JsonValue
from sqlalchemy import bindparam, delete, exists, func, insert, select
from uuid_utils.compat import uuid7

from app.core.security.access_tokens import AccessToken, issue_access_token
from app.core.security.tokens import hash_token, new_token
from app.models import Alert, KnownDevice, RefreshToken, UserSession
from app.services.alerts import RECENT_ALERT, notify
from app.services.audit import AuditTrail
from app.services.auth.account import Account
from app.services.auth.devices import DELETE_OLDEST, REMEMBER
from app.services.auth.session_service import Tokens, session_expiry
from app.services.personal_data.deletion import cancel_deletion
from app.services.scope import Scope

_LIVE = (UserSession.user_id == bindparam("user"), UserSession.expires_at > func.now())
_ended = (
    delete(UserSession)
    .where(
        *_LIVE,
        UserSession.id.not_in(
            select(UserSession.id)
            .where(*_LIVE)
            .order_by(UserSession.id.desc())
            .limit(bindparam("other_sessions"))
        ),
    )
    .returning(UserSession.id)
    .cte("ended")
)
_opened = (
    insert(UserSession)
    .values(
        id=bindparam("session"),
        user_id=bindparam("user"),
        user_agent=bindparam("user_agent"),
        ip_address=bindparam("ip_address"),
        expires_at=bindparam("expires_at"),
    )
    .cte("opened")
)
_issued = (
    insert(RefreshToken)
    .values(token_hash=bindparam("refresh_token"), session_id=bindparam("session"))
    .cte("issued")
)
_of_user = KnownDevice.user_id == bindparam("user")
_is_trusted = (KnownDevice.token_hash == bindparam("device"), KnownDevice.forgotten_at.is_(None))

# One round trip inserts the session, its first token, and the device, and deletes sessions and
# devices beyond the limits. Each part sees the tables as they were before.
_COMPLETE = select(
    exists().where(_of_user),
    exists().where(_of_user, *_is_trusted),
    RECENT_ALERT.exists(),
    select(func.array_agg(_ended.c.id)).scalar_subquery(),
).add_cte(_opened, _issued, REMEMBER.cte("remembered"), DELETE_OLDEST.cte("forgotten"))


async def complete_login(scope: Scope, user: Account, **details: JsonValue) -> Tokens:
    """Open a session for a locked user who has passed every check.

    Beyond the limit of sessions, the oldest ends. Because of the lock, concurrent logins see each
    other's sessions. The user gets an email if the device is new and not the first.
    """
    await cancel_deletion(scope, user)
    audit, request = AuditTrail(scope), scope.request
    audit.record("login.succeeded", user_id=user.id, actor_id=user.id, **details)
    now, session_id = datetime.now(UTC), uuid7()
    expires_at = session_expiry(scope.settings, created_at=now, seen_at=now)
    refresh_token, device = new_token(), request.device or new_token()
    completed = await scope.uow.first(
        _COMPLETE,
        user=user.id,
        session=session_id,
        user_agent=request.user_agent,
        ip_address=request.ip_address,
        expires_at=expires_at,
        refresh_token=hash_token(refresh_token),
        device=hash_token(device),
        kind=Alert.NEW_DEVICE,
        email=user.email,
        other_sessions=scope.settings.max_sessions_per_user - 1,
    )
    assert completed is not None
    has_devices, is_trusted, is_repeated, ended = completed
    if has_devices and not is_trusted:
        await notify(scope, user, Alert.NEW_DEVICE, actor_id=user.id, is_repeated=is_repeated)
    for ended_id in ended or ():
        audit.record("session.displaced", user_id=user.id, actor_id=None, session_id=str(ended_id))
    return Tokens(
        issue_access_token(scope.settings, AccessToken(user.id, session_id)),
        refresh_token,
        expires_at,
        device if request.device is None else None,
    )
