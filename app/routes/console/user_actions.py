"""Actions of superusers on accounts."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from uuid import UUID

from app.routes.console.actions import Action
from app.routes.pages.notices import Notice
from app.schemas.user import UserUpdate
from app.schemas.user_access import UserDetails
from app.services.admin_service import AdminService
from app.services.auth.role_service import RoleService
from app.services.scope import Scope
from app.services.user_access_service import UserAccessService


@dataclass(frozen=True, slots=True, kw_only=True)
class UserAction(Action[[Scope, UUID]]):
    """An action on an account. It is offered for users to whom it `applies`."""

    applies: Callable[[UserDetails], bool] = lambda _: True


RemovalAction = Action[[Scope, UUID, UUID]]
"""The removal of one credential or role of an account."""


def _update(**changes: bool) -> Callable[[Scope, UUID], Awaitable[object]]:
    def run(scope: Scope, user_id: UUID) -> Awaitable[object]:
        return AdminService(scope).update(user_id, UserUpdate(**changes))

    return run


ACTIONS: Mapping[str, UserAction] = {
    "deactivate": UserAction(
        button="Deactivate",
        text="The user is logged out everywhere, all API keys stop working, and no login succeeds "
        "until the account is reactivated.",
        notice=Notice.USER_DEACTIVATED,
        run=_update(is_active=False),
        applies=lambda user: user.is_active,
        dangerous=True,
    ),
    "reactivate": UserAction(
        button="Reactivate",
        text="The user can log in again. Earlier sessions and API keys do not come back.",
        notice=Notice.USER_REACTIVATED,
        run=_update(is_active=True),
        applies=lambda user: not user.is_active,
    ),
    "end-sessions": UserAction(
        button="End all sessions",
        text="The user is logged out on every device. API keys stay.",
        notice=Notice.SESSIONS_ENDED,
        run=lambda scope, user_id: UserAccessService(scope).end_sessions(user_id),
    ),
    "remove-second-factor": UserAction(
        button="Remove the second factor",
        text="The authenticator app, all passkeys, and the recovery codes stop working. The "
        "password alone logs in. The user gets an email about it.",
        notice=Notice.SECOND_FACTOR_REMOVED_BY_ADMIN,
        run=lambda scope, user_id: AdminService(scope).remove_second_factor(user_id),
        dangerous=True,
    ),
    "make-superuser": UserAction(
        button="Make a superuser",
        text="A superuser has every permission, and manages all accounts.",
        notice=Notice.SUPERUSER_MADE,
        run=_update(is_superuser=True),
        applies=lambda user: not user.is_superuser,
        dangerous=True,
    ),
    "make-ordinary": UserAction(
        button="Make an ordinary user",
        text="The user keeps only the permissions of the roles.",
        notice=Notice.SUPERUSER_UNMADE,
        run=_update(is_superuser=False),
        applies=lambda user: user.is_superuser,
        dangerous=True,
    ),
    "delete": UserAction(
        button="Delete the account",
        text="The account is deleted at once, with everything in it. This cannot be undone.",
        notice=Notice.USER_DELETED,
        run=lambda scope, user_id: AdminService(scope).delete(user_id),
        dangerous=True,
    ),
}

REMOVALS: Mapping[str, RemovalAction] = {
    "sessions": Action(
        button="End the session",
        text="The user is logged out on this device.",
        notice=Notice.SESSION_ENDED,
        run=lambda scope, user_id, id_: UserAccessService(scope).end_session(user_id, id_),
        dangerous=True,
    ),
    "api-keys": Action(
        button="Revoke the key",
        text="The key stops working at once.",
        notice=Notice.KEY_REVOKED,
        run=lambda scope, user_id, id_: UserAccessService(scope).revoke_key(user_id, id_),
        dangerous=True,
    ),
    "roles": Action(
        button="Take the role away",
        text="The user loses the permissions of this role at once.",
        notice=Notice.ROLE_TAKEN_AWAY,
        run=lambda scope, user_id, id_: RoleService(scope).unassign(user_id, id_),
        dangerous=True,
    ),
}
