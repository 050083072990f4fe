"""What a process holds open, API and worker alike."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from app.core.completions import Completions, completing
from app.core.config import Settings
from app.core.database import Database, open_database
from app.core.mailer import Mailer
from app.core.oidc.clients import OidcClients, open_oidc_clients
from app.core.queue import QueuePools
from app.core.redis import open_pools
from app.core.throttle import Throttle, open_throttle
from app.core.unit_of_work import UnitOfWork, unit_of_work

OpenResources = Callable[[Settings], AbstractAsyncContextManager["Resources"]]


@dataclass(frozen=True, slots=True)
class Resources:
    settings: Settings
    queues: QueuePools
    database: Database
    mailer: Mailer
    throttle: Throttle
    oidc: OidcClients
    completions: Completions

    def unit_of_work(self) -> AbstractAsyncContextManager[UnitOfWork]:
        """Open a transaction whose jobs leave once it has committed."""
        return unit_of_work(self.database.sessions, self.queues)


@asynccontextmanager
async def open_resources(settings: Settings) -> AsyncIterator[Resources]:
    """Open Redis, then the database; close them in reverse order, whatever happens in between."""
    async with (
        open_pools(settings) as queues,
        open_throttle(settings) as throttle,
        open_oidc_clients(settings) as oidc,
        open_database(settings) as database,
        completing(database.sessions) as completions,
    ):
        yield Resources(settings, queues, database, Mailer(settings), throttle, oidc, completions)
