"""Opens connections to PostgreSQL."""

import asyncio
import socket
import ssl

import asyncpg

from app.core.config import Settings
from app.core.exceptions import DatabaseMissing, DatabaseReadOnly, DatabaseUnavailable
from app.core.telemetry.postgres import TracedConnection
from app.core.urls.postgres import PostgresAddress

APPLICATION_NAME = "fastapi-boilerplate"

DRIVER_URL = "postgresql+asyncpg://"
"""The URL for SQLAlchemy. It has no address, because the connector opens the connections."""

SOCKET_OPTIONS = {
    "keepalives": ("SOL_SOCKET", "SO_KEEPALIVE", 1),
    "keepalives_idle": ("IPPROTO_TCP", "TCP_KEEPIDLE", 30),
    "keepalives_interval": ("IPPROTO_TCP", "TCP_KEEPINTVL", 10),
    "keepalives_count": ("IPPROTO_TCP", "TCP_KEEPCNT", 3),
    "tcp_user_timeout": ("IPPROTO_TCP", "TCP_USER_TIMEOUT", 10_000),
}
"""The socket option that each parameter of libpq sets, and its default here.

Routers forget connections that are idle for some minutes, so probes keep them alive. A lost server
is noticed within a minute on an idle connection, and 10 s after data was sent to it.
"""

POOLER_SYMPTOMS = (
    asyncpg.ProtocolViolationError,
    asyncpg.DuplicatePreparedStatementError,
    asyncpg.InvalidSQLStatementNameError,
)
POOLER_CURE = "If this is a pooler such as PgBouncer, set DATABASE_POOLER=transaction"


class Connector:
    """Opens connections with the parameters of DATABASE_URL, the settings, and `server_settings`.

    Behind a pooler, a connection to the server lasts for one transaction. A parameter of the
    startup packet or a prepared statement would affect transactions of other clients.
    """

    def __init__(
        self,
        settings: Settings,
        server_settings: dict[str, str] | None = None,
        *,
        command_timeout: float | None,
    ) -> None:
        self._settings = settings
        self._command_timeout = command_timeout
        self._address = PostgresAddress.parse(settings.database_url)
        self._server_settings = self._own_server_settings() | (server_settings or {})

    async def __call__(self, **_: object) -> asyncpg.Connection:
        """Connect. Raises DatabaseUnavailable, which names the server and the fix."""
        address, settings = self._address, self._settings
        try:
            connection = await asyncpg.connect(
                address.dsn_of_driver,
                host=list(address.hosts),
                port=list(address.ports),
                user=address.user,
                password=address.password,
                database=address.database,
                passfile=address.parameters.get("passfile"),
                servicefile=address.parameters.get("servicefile"),
                ssl=self._tls(),
                timeout=address.number("connect_timeout") or settings.database_connect_timeout,
                command_timeout=self._command_timeout,
                statement_cache_size=0 if settings.uses_transaction_pooler else 100,
                server_settings=self._server_settings,
                connection_class=TracedConnection if settings.traces else asyncpg.Connection,
            )
        except asyncpg.InvalidCatalogNameError:
            raise DatabaseMissing(address.database or "", str(address)) from None
        except asyncpg.TargetServerAttributeNotMatched as error:
            raise DatabaseReadOnly(
                f"no server at {address} matches target_session_attrs ({error})"
            ) from error
        except (
            OSError,
            asyncpg.PostgresError,
            asyncpg.InterfaceError,
            asyncpg.InternalClientError,
        ) as error:
            described = _describe(error, _variable_of(settings))
            raise DatabaseUnavailable(f"PostgreSQL at {address} {described}") from error
        self._keep_alive(connection)
        return connection

    def _own_server_settings(self) -> dict[str, str]:
        given = self._address.parameters
        fallback = given.get("fallback_application_name", APPLICATION_NAME)
        named = {"application_name": given.get("application_name", fallback)}
        options = {"options": given["options"]} if "options" in given else {}
        if self._settings.uses_transaction_pooler:
            return options
        return named | options

    def _tls(self) -> ssl.SSLContext | None:
        """Return the context for `sslrootcert=system`. The driver handles every other value."""
        if self._address.parameters.get("sslrootcert") == "system":
            return ssl.create_default_context()
        return None

    def _keep_alive(self, connection: asyncpg.Connection) -> None:
        # asyncpg does not expose it. tests/core/postgres/test_connector.py fails if this changes.
        transport: asyncio.Transport = connection._transport  # type: ignore[attr-defined]  # noqa: SLF001
        link: socket.socket | None = transport.get_extra_info("socket")
        if link is None or link.family == socket.AF_UNIX:
            return
        for parameter, (level, option, default) in SOCKET_OPTIONS.items():
            if hasattr(socket, option):  # macOS and Windows lack some of them
                given = self._address.number(parameter)
                value = default if given is None else given
                link.setsockopt(getattr(socket, level), getattr(socket, option), value)


def _variable_of(settings: Settings) -> str:
    """Return the variable with the URL, which another role's commands put into `database_url`."""
    others = {
        settings.database_owner_url: "DATABASE_OWNER_URL",
        settings.database_admin_url: "DATABASE_ADMIN_URL",
    }
    return others.get(settings.database_url, "DATABASE_URL")


def _describe(error: Exception, variable: str) -> str:
    reason = str(error) or type(error).__name__
    match error:
        case ssl.SSLError() | ssl.CertificateError():
            return f"has no valid certificate ({reason}). Set sslrootcert in {variable}"
        case asyncpg.InvalidAuthorizationSpecificationError():
            return f"rejects the login ({reason}). Correct {variable}"
        case asyncpg.CannotConnectNowError() | OSError():
            cure = f"Start it (bin/dev starts one for you) or correct {variable}"
            return f"does not answer ({reason}). {cure}"
        case _ if isinstance(error, POOLER_SYMPTOMS):
            return f"rejects the connection ({reason}). {POOLER_CURE}"
        case asyncpg.TooManyConnectionsError():
            return (
                f"has no connection left ({reason}). Lower DATABASE_POOL_SIZE, run fewer "
                "processes, raise max_connections, or use a pooler"
            )
        case _:
            return f"rejects the connection ({reason})"
