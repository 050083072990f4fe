"""The scopes of console pages. Every page requires `console:read`, and some require more.

`console_scope(Permission.MANAGE_QUEUES)` requires another permission, too. A `proven` scope also
requires a recent proof, for bulk and destructive actions.
"""

from typing import Annotated

from fastapi.params import Depends as Dependency

from app.routes.deps.principals import check_is_superuser
from app.routes.pages.scopes import check_recent_proof, page_scope
from app.schemas.role import Permission
from app.services.auth.principal import Principal
from app.services.scope import Scope


def console_scope(*needed: Permission, superuser: bool = False, proven: bool = False) -> Dependency:
    """Open the scope of a user who may read the console and has these permissions.

    Raise Unauthenticated, SecondFactorMissing, NotEnoughPermissions, NotEnoughPrivileges, or
    RecentProofRequired.
    """

    def check(principal: Principal) -> None:
        for permission in (Permission.READ_CONSOLE, *needed):
            principal.require(permission)
        if superuser:
            check_is_superuser(principal)
        if proven:
            check_recent_proof(principal)

    return page_scope(check)


ConsoleScope = Annotated[Scope, console_scope()]
SuperuserScope = Annotated[Scope, console_scope(superuser=True)]
ProvenSuperuserScope = Annotated[Scope, console_scope(superuser=True, proven=True)]
