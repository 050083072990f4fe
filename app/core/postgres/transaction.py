"""One transaction, which the driver runs until a session joins it."""

import asyncio
from collections.abc import Mapping, Sequence

import asyncpg
from sqlalchemy import Connection, PoolProxiedConnection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, async_sessionmaker
from sqlalchemy.orm import SessionTransaction

from app.core.postgres.driver import Connections, Result, Run, raise_if_lost, run_on
from app.core.postgres.reader import Fetch
from app.core.postgres.statements import CompiledStatement

DEFERRED = "app.deferred"
"""The key in `Session.info`."""

NOT_SINGLE = (
    "With @autocommit, a route runs one statement, which is committed at once and stays. "
    "Remove the decorator if it needs more"
)


class Transaction:
    """A transaction that takes a connection from the pool with its first statement.

    A session makes a single statement three times as expensive. So the driver runs the statements
    before the first use of the session. Without `connections`, the session runs everything.
    """

    def __init__(
        self, sessions: async_sessionmaker[AsyncSession], connections: Connections | None
    ) -> None:
        self.deferred: list[object] = []
        """What has to be done at the end."""

        self._sessions = sessions
        self._connections = connections
        self._proxied: PoolProxiedConnection | None = None
        self._joined: AsyncConnection | None = None
        self._session: AsyncSession | None = None
        self._connection: AsyncConnection | None = None
        self._has_committed = False

    @property
    def is_used(self) -> bool:
        """Return whether there may be something to commit."""
        return self._session is not None or self._proxied is not None or bool(self.deferred)

    @property
    def innermost(self) -> SessionTransaction | None:
        """The innermost savepoint of the session, or None before the first use of the session."""
        if self._session is None:
            return None
        session = self._session.sync_session
        return session.get_nested_transaction() or session.get_transaction()

    @property
    def session(self) -> AsyncSession:
        """The session of the transaction. It connects at its first statement."""
        if self._session is None:
            if self._connections is not None and self._proxied is not None:
                self._joined = _join(self._connections, self._proxied)
                self._session = self._sessions(bind=self._joined)
            else:
                self._session = self._sessions()
            self._session.info[DEFERRED] = self.deferred
        return self._session

    def defer(self, deferred: object, /) -> None:
        """Add something to do at the end."""
        self.deferred.append(deferred)

    async def fetch(
        self, query: CompiledStatement, values: Mapping[str, object]
    ) -> Sequence[asyncpg.Record]:
        """Run a statement on the driver, and return its rows."""
        return await self._run(
            query.text, lambda driver: driver.fetch(query.text, *query.arguments(values))
        )

    async def insert(self, text: str, rows: Sequence[Sequence[object]]) -> None:
        """Insert rows in one round trip."""
        await self._run(text, lambda driver: driver.executemany(text, rows))

    async def commit(self) -> None:
        if self._session is not None:
            await self._session.commit()
        if self._joined is not None:
            await self._joined.commit()
        elif self._connections is not None and self._proxied is not None:
            await self._connections.commit(self._proxied)
        self._has_committed = True

    async def close(self) -> None:
        """Roll back what is not committed, and release the connection."""
        if self._has_committed:
            await self._close()
        else:
            # A request that is canceled must not leave its connection behind.
            await asyncio.shield(self._close())

    async def _run(self, text: str, run: Run[Result]) -> Result:
        if self._connections is None or self._session is not None:
            return await run_on(await self._connection_of(self.session), text, run)
        if self._proxied is None:
            self._proxied = await self._connections.acquire()
        return await self._connections.run(self._proxied, text, run)

    async def _connection_of(self, session: AsyncSession) -> AsyncConnection:
        """Return the connection of the session, which has written what it had pending."""
        if session.new or session.dirty or session.deleted:
            await session.flush()  # the statement may read it, and a new row may refer to it
        if self._connection is None or not session.in_transaction():
            self._connection = await session.connection()
        return self._connection

    async def _close(self) -> None:
        if self._session is not None:
            if self._has_committed:
                self._session.expunge_all()
            else:
                await self._session.close()
        if self._joined is not None:
            await self._joined.close()
        elif self._connections is not None and self._proxied is not None:
            await self._connections.release(self._proxied, rolls_back=not self._has_committed)


class SingleStatement(Transaction):
    """A transaction of one statement, which PostgreSQL commits together with it.

    BEGIN and COMMIT would be two more round trips. Everything that would need them raises
    RuntimeError: a second statement, the session, and what is to be done at the end. The statement
    is never repeated.
    """

    def __init__(self, sessions: async_sessionmaker[AsyncSession], fetch: Fetch) -> None:
        super().__init__(sessions, None)
        self._fetch = fetch
        self._has_run = False

    @property
    def session(self) -> AsyncSession:
        raise RuntimeError(NOT_SINGLE)

    def defer(self, _: object, /) -> None:
        raise RuntimeError(NOT_SINGLE)

    async def fetch(
        self, query: CompiledStatement, values: Mapping[str, object]
    ) -> Sequence[asyncpg.Record]:
        if self._has_run:
            raise RuntimeError(NOT_SINGLE)
        self._has_run = True
        return await self._fetch(query.text, query.arguments(values))


def _join(connections: Connections, proxied: PoolProxiedConnection) -> AsyncConnection:
    """Show SQLAlchemy the transaction of a connection, which the driver has begun."""
    raise_if_lost(proxied)
    connection = Connection(connections.engine.sync_engine, proxied)
    connection.begin()
    return AsyncConnection(connections.engine, connection)
