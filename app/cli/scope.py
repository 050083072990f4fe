"""The scope of commands, in which an operator acts and no user is logged in."""

import os
import pwd
from contextlib import suppress

from app.core.resources import Resources
from app.services.scope import RequestInfo, Scope, open_scope


def open_operator_scope(resources: Resources, *, reason: str | None = None) -> Scope:
    """Return a scope that `async with` opens."""
    scope = open_scope(resources, RequestInfo("command line"))
    scope.operator, scope.reason = operator(), reason
    return scope


def operator() -> str:
    """Return the user who is logged in on the terminal, even after `sudo`.

    Without a terminal, return the user of the process, or the user's number if it has no name.
    """
    with suppress(OSError):
        return os.getlogin()
    with suppress(KeyError):
        return pwd.getpwuid(os.getuid()).pw_name
    return str(os.getuid())
