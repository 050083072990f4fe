"""Spans of statements. They show the text without values."""

import re
import time
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache
from typing import Any

import asyncpg
from sqlalchemy import Connection, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.telemetry.spans import NO_SPAN, Attributes, Span
from app.core.telemetry.tracing import active_tracer

MAX_TEXT_LENGTH = 2_000
LITERAL = re.compile(r"'(?:[^']|'')*'|\$(\w*)\$.*?\$\1\$|(?<![\w$.])\d+(?:\.\d+)?", re.DOTALL)
TARGET = re.compile(r"\b(?:FROM|INTO|UPDATE|JOIN|TABLE)\s+([\w.\"]+)", re.IGNORECASE)

BEGAN = "app.statement_began"
"""The key in `Connection.info`. A connection runs one statement at a time."""

_UNTRACED = nullcontext(NO_SPAN)


class TracedConnection(asyncpg.Connection):
    """A connection that traces direct calls: statements of the reader, BEGIN, and COMMIT."""

    async def execute(self, query: str, *args: object, **options: Any) -> str:  # noqa: ANN401
        with _statement(query):
            return await super().execute(query, *args, **options)

    async def fetch(self, query: str, *args: object, **options: Any) -> Any:  # noqa: ANN401  the driver's own
        with _statement(query):
            return await super().fetch(query, *args, **options)

    async def executemany(self, command: str, args: Any, **options: Any) -> None:  # noqa: ANN401  the driver's own
        with _statement(command):
            await super().executemany(command, args, **options)


def trace_statements(engine: AsyncEngine) -> None:
    """Trace the statements of SQLAlchemy, which prepares them and does not call `fetch`.

    Only a statement inside a recorded span gets a span. Statements outside of requests and jobs,
    such as those of the outbox relay, belong to no trace.
    """

    @event.listens_for(engine.sync_engine, "before_cursor_execute")
    def remember(connection: Connection, *_: object) -> None:
        tracer = active_tracer()
        if tracer is not None and tracer.current().is_recording:
            connection.info[BEGAN] = time.time_ns()

    @event.listens_for(engine.sync_engine, "after_cursor_execute")
    def record(connection: Connection, _: object, statement: str, *__: object) -> None:
        if began := connection.info.pop(BEGAN, None):
            _record(statement, began)

    @event.listens_for(engine.sync_engine, "handle_error")
    def record_failure(failure: ExceptionContext) -> None:
        if failure.connection and (began := failure.connection.info.pop(BEGAN, None)):
            _record(failure.statement or "", began, failure.original_exception)


@lru_cache(500)
def describe_statement(statement: str) -> tuple[str, Attributes]:
    """Return the name and the attributes of a statement's span."""
    text = LITERAL.sub("?", statement)[:MAX_TEXT_LENGTH]
    operation = text.split(maxsplit=1)[0].strip("();").upper() if text.strip() else "SQL"
    target = TARGET.search(text)
    table = target[1].strip('"') if target else ""
    attributes: Attributes = {
        "db.system.name": "postgresql",
        "db.operation.name": operation,
        "db.query.text": text,
    }
    if not table:
        return operation, attributes
    return f"{operation} {table}", {**attributes, "db.collection.name": table}


def _statement(text: str) -> AbstractContextManager[Span]:
    tracer = active_tracer()
    if tracer is None or not tracer.current().is_recording:
        return _UNTRACED
    name, attributes = describe_statement(text)
    return tracer.span(name, "client", attributes)


def _record(statement: str, began: int, error: BaseException | None = None) -> None:
    if tracer := active_tracer():
        name, attributes = describe_statement(statement)
        span = tracer.begin(name, "client", attributes, started_ns=began)
        if error is not None:
            span.fail(str(getattr(error, "sqlstate", None) or type(error).__name__))
        span.end()
