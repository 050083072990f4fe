"""The scope of commands, in which an operator acts and no user is logged in."""

import os
import pwd
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from app.cli.command import Backends
from app.core.oidc.clients import open_oidc_clients
from app.core.security.passwords import Passwords
from app.core.security.throttle import open_throttle
from app.core.unit_of_work import UnitOfWork
from app.services.scope import RequestInfo, Scope


@asynccontextmanager
async def open_scope(backends: Backends, *, reason: str | None = None) -> AsyncIterator[Scope]:
    async with (
        open_throttle(backends.settings) as throttle,
        open_oidc_clients(backends.settings) as oidc,
        UnitOfWork(backends.database.transaction(), backends.queues) as uow,
    ):
        yield Scope(
            settings=backends.settings,
            uow=uow,
            reader=backends.reader,
            queues=backends.queues,
            throttle=throttle,
            passwords=Passwords(),
            oidc=oidc,
            request=RequestInfo("command line"),
            reason=reason,
            operator=operator(),
        )


def operator() -> str:
    """Return the user who is logged in on the terminal, even after `sudo`.

    Without a terminal, return the user of the process, or the user's number if it has no name.
    """
    with suppress(OSError):
        return os.getlogin()
    with suppress(KeyError):
        return pwd.getpwuid(os.getuid()).pw_name
    return str(os.getuid())
