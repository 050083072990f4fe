"""The resources that an API process, a worker, or a command keeps open."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from app.core.config import Settings
from app.core.database import Database, Sessions, open_database
from app.core.job_store.completions import Completions, completing
from app.core.mailer import Mailer
from app.core.oidc.clients import OidcClients, open_oidc_clients
from app.core.postgres.reader import Reader
from app.core.queue import QueuePools
from app.core.redis import open_pools
from app.core.security.passwords import Passwords
from app.core.security.throttle import Throttle, open_throttle
from app.core.telemetry.errors import reporting_errors
from app.core.telemetry.tracing import tracing
from app.core.unit_of_work import UnitOfWork

OpenResources = Callable[[Settings], AbstractAsyncContextManager["Resources"]]


@dataclass(frozen=True, slots=True)
class Resources:
    settings: Settings
    queues: QueuePools
    database: Database
    mailer: Mailer
    throttle: Throttle
    passwords: Passwords
    oidc: OidcClients
    completions: Completions

    @property
    def sessions(self) -> Sessions:
        return self.database.sessions

    @property
    def reader(self) -> Reader:
        return self.database.reader

    def unit_of_work(self, *, autocommits: bool = False) -> UnitOfWork:
        """Return a transaction to open, whose jobs leave once it has committed.

        With `autocommits`, it may run one statement, which is committed at once.
        """
        database = self.database
        transaction = database.single_statement() if autocommits else database.transaction()
        return UnitOfWork(transaction, self.queues)


@asynccontextmanager
async def open_resources(settings: Settings) -> AsyncIterator[Resources]:
    """Open the resources of a process that traces its work and reports its errors."""
    async with (
        tracing(settings),
        reporting_errors(settings),
        open_unmonitored_resources(settings) as resources,
    ):
        yield resources


@asynccontextmanager
async def open_unmonitored_resources(settings: Settings) -> AsyncIterator[Resources]:
    """Open all resources. Close them in reverse order, also after an error."""
    async with (
        open_pools(settings) as queues,
        open_throttle(settings) as throttle,
        open_oidc_clients(settings) as oidc,
        open_database(settings) as database,
        completing(database.fetch) as completions,
    ):
        yield Resources(
            settings,
            queues,
            database,
            Mailer(settings),
            throttle,
            Passwords(),
            oidc,
            completions,
        )
