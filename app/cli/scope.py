"""The scope in which commands call services: an operator acts, and no user is logged in."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.cli.command import Backends
from app.core.oidc.clients import open_oidc_clients
from app.core.security.passwords import Passwords
from app.core.security.throttle import open_throttle
from app.core.unit_of_work import UnitOfWork
from app.services.scope import RequestInfo, Scope


@asynccontextmanager
async def open_scope(backends: Backends) -> AsyncIterator[Scope]:
    async with (
        open_throttle(backends.settings) as throttle,
        open_oidc_clients(backends.settings) as oidc,
        UnitOfWork(backends.sessions, backends.queues) as uow,
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
        )
