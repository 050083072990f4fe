"""Opening connections to PostgreSQL."""

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
"""For SQLAlchemy. The connector knows where the server is."""

SOCKET_OPTIONS = {
    "keepalives": ("SOL_SOCKET", "SO_KEEPALIVE", 1),
    "keepalives_idle": ("IPPROTO_TCP", "TCP_KEEPIDLE", 30),
    "keepalives_interval": ("IPPROTO_TCP", "TCP_KEEPINTVL", 10),
    "keepalives_count": ("IPPROTO_TCP", "TCP_KEEPCNT", 3),
    "tcp_user_timeout": ("IPPROTO_TCP", "TCP_USER_TIMEOUT", 10_000),
}
"""What libpq's parameters set, and to what without them.

Routers forget connections that rest for some minutes; the probes keep them in mind. A server that
is gone is noticed after a minute of rest, or 10 s after something was sent to it.
"""

POOLER_SYMPTOMS = (
    asyncpg.ProtocolViolationError,
    asyncpg.DuplicatePreparedStatementError,
    asyncpg.InvalidSQLStatementNameError,
)
POOLER_CURE = "If a pooler such as PgBouncer stands there, set DATABASE_POOLER=transaction"


class Connector:
    """Opens connections as DATABASE_URL and the settings say, which `server_settings` add to.

    Behind a pooler, a connection to the server lasts for one transaction: a parameter of the
    startup packet or a prepared statement would reach other clients' transactions.
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
        """Connect. Raises DatabaseUnavailable, which names the server and the cure."""
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
                f"no server at {address} is of the wanted kind ({error})"
            ) from error
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise DatabaseUnavailable(f"PostgreSQL at {address} {_explain(error)}") from error
        except asyncpg.InternalClientError as error:
            raise DatabaseUnavailable(f"PostgreSQL at {address} {_explain(error)}") from error
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
        """Trust what this machine trusts; every other choice is the driver's to read."""
        if self._address.parameters.get("sslrootcert") == "system":
            return ssl.create_default_context()
        return None

    def _keep_alive(self, connection: asyncpg.Connection) -> None:
        # asyncpg shows it nowhere; tests/core/postgres/test_connector.py tells when that changes.
        transport: asyncio.Transport = connection._transport  # type: ignore[attr-defined]  # noqa: SLF001
        link: socket.socket | None = transport.get_extra_info("socket")
        if link is None or link.family == socket.AF_UNIX:
            return
        for parameter, (level, option, usual) in SOCKET_OPTIONS.items():
            if hasattr(socket, option):  # macOS and Windows have some of them
                value = self._address.number(parameter)
                chosen = usual if value is None else value
                link.setsockopt(getattr(socket, level), getattr(socket, option), chosen)


def _explain(error: Exception) -> str:
    reason = str(error) or type(error).__name__
    match error:
        case ssl.SSLError() | ssl.CertificateError():
            return (
                f"failed the check of its certificate ({reason}). Set sslrootcert in DATABASE_URL"
            )
        case asyncpg.InvalidAuthorizationSpecificationError():
            return f"refuses the login ({reason}). Correct DATABASE_URL"
        case asyncpg.CannotConnectNowError() | OSError():
            cure = "Start it (bin/dev starts one for you) or correct DATABASE_URL"
            return f"does not answer ({reason}). {cure}"
        case _ if isinstance(error, POOLER_SYMPTOMS):
            return f"refuses the connection ({reason}). {POOLER_CURE}"
        case asyncpg.TooManyConnectionsError():
            return (
                f"has no connection left ({reason}). Lower DATABASE_POOL_SIZE, run fewer "
                "processes, raise max_connections, or put a pooler in between"
            )
        case _:
            return f"refuses the connection ({reason})"
