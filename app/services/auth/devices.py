"""Known devices: the user gets an email after a login from an unknown one."""

from sqlalchemy import bindparam, delete, func, select
from sqlalchemy.dialects.postgresql import insert

from app.core.security.tokens import hash_token
from app.models import KnownDevice, User
from app.services.scope import Scope

MAX_DEVICES = 50
"""Per user. A client that keeps no cookies is a new device each time."""

REMEMBER = (
    insert(KnownDevice)
    .values(user_id=bindparam("user"), token_hash=bindparam("device"))
    .on_conflict_do_update(
        index_elements=["user_id", "token_hash"],
        set_={"last_seen_at": func.now(), "forgotten_at": None},
    )
)

_OTHERS = (KnownDevice.user_id == bindparam("user"), KnownDevice.token_hash != bindparam("device"))
DELETE_OLDEST = delete(KnownDevice).where(
    *_OTHERS,
    KnownDevice.token_hash.in_(
        select(KnownDevice.token_hash)
        .where(*_OTHERS)
        .order_by(KnownDevice.last_seen_at.desc())
        .offset(MAX_DEVICES - 1)
    ),
)


async def remember_device(scope: Scope, user: User) -> None:
    """Remember the device of a request whose user has just proven who they are."""
    if scope.request.device is not None:
        device = hash_token(scope.request.device)
        await scope.uow.session.execute(REMEMBER, {"user": user.id, "device": device})
