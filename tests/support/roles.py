"""Database roles that a test creates. The roles of the other tests do not change."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import make_url

from app.core.config import Settings
from tests.support.servers import Servers, execute


@asynccontextmanager
async def roles_to_create(
    servers: Servers, settings: Settings, name: str
) -> AsyncIterator[Settings]:
    """Yield settings with two roles and a database that do not exist yet, and drop them."""
    url = make_url(settings.database_url)

    def url_of(role: str, password: str) -> str:
        changed = url.set(username=role, password=password, database=name)
        return changed.render_as_string(hide_password=False)

    yield settings.model_copy(
        update={
            "database_admin_url": servers.postgres,
            "database_owner_url": url_of(f"{name} owner", "of the owner"),
            "database_url": url_of(f"{name} service", "of the service"),
        }
    )
    await execute(
        servers.postgres,
        f"DROP DATABASE IF EXISTS {name} WITH (FORCE)",
        f'DROP ROLE IF EXISTS "{name} owner"',
        f'DROP ROLE IF EXISTS "{name} service"',
    )
