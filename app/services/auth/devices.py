"""Known devices: the user gets an email after a login from an unknown one."""

from collections.abc import Mapping

from sqlalchemy import bindparam, delete, func, select
from sqlalchemy.dialects.postgresql import insert

from app.core.security.tokens import hash_token, new_token
from app.models import Alert, KnownDevice, User
from app.services.alerts import notify
from app.services.scope import Scope

MAX_DEVICES = 50
"""Per user. A client that keeps no cookies is a new device each time."""

_REMEMBER = (
    # The statement reads the table as it was before its own INSERT.
    select(KnownDevice.token_hash, KnownDevice.forgotten_at.is_(None))
    .where(KnownDevice.user_id == bindparam("user"))
    .add_cte(
        insert(KnownDevice)
        .values(user_id=bindparam("user"), token_hash=bindparam("token_hash"))
        .on_conflict_do_update(
            index_elements=["user_id", "token_hash"],
            set_={"last_seen_at": func.now(), "forgotten_at": None},
        )
        .cte("remembered")
    )
)
_DELETE_OLDEST = (
    delete(KnownDevice)
    .where(
        KnownDevice.user_id == bindparam("user"),
        KnownDevice.token_hash.in_(
            select(KnownDevice.token_hash)
            .where(KnownDevice.user_id == bindparam("user"))
            .order_by(KnownDevice.last_seen_at.desc())
            .offset(MAX_DEVICES)
        ),
    )
    .execution_options(synchronize_session=False)
)


async def recognize_device(scope: Scope, user: User) -> str | None:
    """Remember the device of a login, and notify the user if it is new.

    Return the token for its cookie if it has none yet. The first login of an account sends no
    email.
    """
    given = scope.request.device
    token = given or new_token()
    token_hash = hash_token(token)
    known = await _remember(scope, user, token_hash)
    if len(known) >= MAX_DEVICES:
        await scope.uow.session.execute(_DELETE_OLDEST, {"user": user.id})
    if known and not known.get(token_hash):
        await notify(scope, user, Alert.NEW_DEVICE, actor_id=user.id)
    return token if given is None else None


async def remember_device(scope: Scope, user: User) -> None:
    """Remember the device of a request whose user has just proven who they are."""
    if scope.request.device is not None:
        await _remember(scope, user, hash_token(scope.request.device))


async def _remember(scope: Scope, user: User, token_hash: bytes) -> Mapping[bytes, bool]:
    """Store a device. Return whether each device that was known before is trusted."""
    found = await scope.uow.session.execute(_REMEMBER, {"user": user.id, "token_hash": token_hash})
    return {row[0]: row[1] for row in found}
