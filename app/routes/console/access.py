"""The scopes of console pages. Every page requires `console:read`, and some require more.

`console_scope(Permission.MANAGE_QUEUES)` requires another permission, too. A `proven` scope also
requires a recent proof, for bulk and destructive actions.
"""

from collections.abc import AsyncIterator, Callable
from typing import Annotated

from fastapi import Depends, Request
from fastapi.params import Depends as Dependency

from app.routes.pages.scopes import open_page_scope, principal_of_page
from app.schemas.role import Permission
from app.services.auth.principal import NotEnoughPrivileges, Principal
from app.services.auth.reauthentication import RECENT_MINUTES
from app.services.scope import Scope


def console_scope(*needed: Permission, superuser: bool = False, proven: bool = False) -> Dependency:
    """Open the scope of a user who may read the console and has these permissions.

    Raise Unauthenticated, SecondFactorMissing, NotEnoughPermissions, NotEnoughPrivileges, or
    RecentProofRequired.
    """

    async def open_console_scope(request: Request) -> AsyncIterator[Scope]:
        principal = await principal_of_page(request)
        require(principal, *needed, superuser=superuser)
        if proven:
            principal.require_recent_proof(minutes=RECENT_MINUTES)
        async with open_page_scope(request, principal) as scope:
            yield scope

    return _dependency(open_console_scope)


def require(principal: Principal, *needed: Permission, superuser: bool = False) -> None:
    """Raise NotEnoughPermissions or NotEnoughPrivileges."""
    for permission in (Permission.READ_CONSOLE, *needed):
        principal.require(permission)
    if superuser and not principal.is_superuser:
        raise NotEnoughPrivileges


def _dependency(opened: Callable[[Request], AsyncIterator[Scope]]) -> Dependency:
    # With the scope "function", FastAPI commits before it sends the response, not after it.
    dependency = Depends(opened, scope="function")
    assert isinstance(dependency, Dependency)
    return dependency


ConsoleScope = Annotated[Scope, console_scope()]
SuperuserScope = Annotated[Scope, console_scope(superuser=True)]
ProvenSuperuserScope = Annotated[Scope, console_scope(superuser=True, proven=True)]
