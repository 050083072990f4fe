"""structlog for our lines and for everybody else's: readable in development, JSON in production."""

import logging
import sys

import structlog
from structlog.contextvars import get_contextvars
from structlog.typing import EventDict, Processor

from app.core.config import Settings


def configure_logging(settings: Settings) -> None:
    """Send every line of the process, libraries' too, through one formatter to stderr."""
    json_lines = settings.environment == "production"
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(settings.log_level),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _drop_color_message,
                *_renderers(json_lines=json_lines),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.log_level.upper())
    _quieten_libraries()


def current_request_id() -> str | None:
    """Tell which request the running code works for; None outside of any."""
    request_id = get_contextvars().get("request_id")
    return request_id if isinstance(request_id, str) else None


def _drop_color_message(_: object, __: str, event: EventDict) -> EventDict:
    """Leave out uvicorn's second copy of each message."""
    event.pop("color_message", None)
    return event


def _renderers(*, json_lines: bool) -> list[Processor]:
    # Neither traceback shows local variables: they hold passwords.
    if json_lines:
        tracebacks = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        return [
            structlog.processors.ExceptionRenderer(tracebacks),
            structlog.processors.JSONRenderer(),
        ]
    return [
        structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    ]


def _quieten_libraries() -> None:
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers = []
        logger.propagate = True
    # Requests and jobs have one structured line each from us; uvicorn's and arq's would be a
    # second one, and arq's shows every argument of every job.
    logging.getLogger("uvicorn.access").setLevel(logging.WARNING)
    logging.getLogger("arq").setLevel(logging.WARNING)
    logging.getLogger("arq.worker").addFilter(_not_logged_by_us)
    logging.getLogger("alembic.runtime.plugins").setLevel(logging.WARNING)


def _not_logged_by_us(record: logging.LogRecord) -> bool:
    """Leave out arq's second copy of a failed job's traceback."""
    return not str(record.msg).startswith("%6.2fs ! %s failed")
