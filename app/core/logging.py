"""Log lines of the service and its libraries: readable in development, JSON in production."""

import json
import logging
import re
import sys
from contextlib import suppress

import structlog
from structlog.contextvars import get_contextvars
from structlog.typing import EventDict, Processor

from app.core.config import Settings
from app.core.telemetry.tracing import current_ids

log = structlog.stdlib.get_logger(__name__)

EMAIL = re.compile(r"[^\s<>\"'(),:;=/@]{1,64}(?:@|%40)[\w-]+(?:\.[\w-]+)+")
"""The part before the @ has at most 64 characters (RFC 5321). Without this limit, searching a long
text would take quadratic time."""


def configure_logging(settings: Settings) -> None:
    """Send all lines of the process, including those of libraries, to stderr in one format.

    The first lines report variables that look like settings and are none, and unsafe choices.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if settings.traces:
        shared.append(_add_trace)
    renderers = _renderers(json_lines=settings.environment == "production")
    structlog.configure(
        processors=[*shared, *renderers],
        logger_factory=Lines,
        wrapper_class=structlog.make_filtering_bound_logger(settings.log_level),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder(), _drop_color_message],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderers],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.log_level.upper())
    _silence_duplicates()
    for name, similar in settings.unknown_variables:
        log.warning("setting.ignored", variable=name, did_you_mean=similar)
    for name, reason in settings.unsafe_choices:
        log.warning("setting.unsafe", variable=name, reason=reason)


class Lines:
    """Writes our own lines to stderr. A record of `logging` for each would cost twice as much."""

    def __init__(self, name: str) -> None:
        self.name = name

    def write(self, line: str) -> None:
        # As in `logging`, a line that cannot be written does not make anything else fail.
        with suppress(OSError, ValueError):
            sys.stderr.write(line + "\n")

    debug = info = warning = error = critical = write


def current_request_id() -> str | None:
    """Return the id of the current request, or None outside of requests."""
    request_id = get_contextvars().get("request_id")
    return request_id if isinstance(request_id, str) else None


def _add_trace(_: object, __: str, event: EventDict) -> EventDict:
    """Add the ids of the current trace and span."""
    if ids := current_ids():
        event["trace_id"], event["span_id"] = ids
    return event


def _hide_emails(_: object, __: str, event: EventDict) -> EventDict:
    """Replace email addresses: messages of servers and libraries contain them."""
    for key, value in event.items():
        if isinstance(value, str):
            if "@" in value or "%40" in value:
                event[key] = EMAIL.sub("[email]", value)
        elif not isinstance(value, int | float):
            event[key] = _without_emails(value)
    return event


def _without_emails(value: object) -> object:
    match value:
        case str():
            return EMAIL.sub("[email]", value) if "@" in value or "%40" in value else value
        case dict():
            return {key: _without_emails(each) for key, each in value.items()}
        case list():
            return [_without_emails(each) for each in value]
        case _:
            return value


def _drop_color_message(_: object, __: str, event: EventDict) -> EventDict:
    """Remove uvicorn's second copy of each message."""
    event.pop("color_message", None)
    return event


def _renderers(*, json_lines: bool) -> list[Processor]:
    # Neither traceback shows local variables, because they may contain passwords.
    if json_lines:
        tracebacks = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        return [
            structlog.processors.ExceptionRenderer(tracebacks),
            _hide_emails,
            structlog.processors.JSONRenderer(_to_json),
        ]
    return [
        _hide_emails,
        structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        ),
    ]


_encoder = json.JSONEncoder(default=repr)


def _to_json(event: EventDict, **_: object) -> str:
    return _encoder.encode(event)


def _silence_duplicates() -> None:
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers = []
        logger.propagate = True
    # The service logs one structured line per request and job event. Those of uvicorn and arq
    # would be duplicates, and arq's show every argument of every job.
    logging.getLogger("uvicorn.access").setLevel(logging.WARNING)
    logging.getLogger("arq").setLevel(logging.WARNING)
    # uvicorn logs the query strings of WebSocket requests, and httpx2 the URL of every request.
    logging.getLogger("uvicorn.error").addFilter(_no_websocket_path)
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    logging.getLogger("arq.worker").addFilter(_no_duplicate_traceback)
    logging.getLogger("alembic.runtime.plugins").setLevel(logging.WARNING)


def _no_websocket_path(record: logging.LogRecord) -> bool:
    return "WebSocket %s" not in str(record.msg)


def _no_duplicate_traceback(record: logging.LogRecord) -> bool:
    """Return False for arq's copy of a failed job's traceback."""
    return not str(record.msg).startswith("%6.2fs ! %s failed")
