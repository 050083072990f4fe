"""Reports errors with Sentry's SDK, without its integrations, which would send private values.

Only a process that reports errors imports this module.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import structlog
from sentry_sdk import Client, Scope
from sentry_sdk.utils import BadDsn, event_from_exception

from app import __version__
from app.core.config import Settings
from app.core.exceptions import ConfigurationError
from app.core.telemetry.reporter import Reporter, Tags
from app.core.telemetry.tracing import current_ids

FLUSH_TIMEOUT = 2.0
"""Seconds for which the end of a process waits for Sentry."""

WINDOW = 60.0
PER_ERROR, PER_PROCESS = 5, 30
"""Reports per window. An outage must not use up the quota of a month or hide another error."""

log = structlog.stdlib.get_logger(__name__)


@asynccontextmanager
async def sentry(settings: Settings) -> AsyncIterator[Reporter]:
    """Open a reporter, and send the last reports at the end. Raises ConfigurationError."""
    client = _client(settings)
    try:
        yield SentryReporter(client)
    finally:
        await asyncio.to_thread(client.close, timeout=FLUSH_TIMEOUT)


class SentryReporter:
    """Sends reports from a thread of the SDK, whose queue is bounded."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._window_ends = 0.0
        self._sent: Counter[str] = Counter()
        self._quiet = False
        self.dropped = 0

    def report(self, error: BaseException, tags: Tags, user_id: UUID | None) -> None:
        """Send a report, unless the limit of the window is reached."""
        if not self._may_send(_fingerprint(error)):
            return
        event, _ = event_from_exception(error, client_options=self._client.options)
        for exception in event["exception"]["values"]:
            exception["value"] = ""  # it may contain an address, an argument, or a row
        event["tags"] = {name: str(value) for name, value in tags.items() if value is not None}
        if user_id is not None:
            event["user"] = {"id": str(user_id)}
        if ids := current_ids():
            event["contexts"] = {"trace": {"trace_id": ids.trace_id, "span_id": ids.span_id}}
        self._client.capture_event(event, scope=Scope())

    def _may_send(self, fingerprint: str) -> bool:
        if (now := time.monotonic()) >= self._window_ends:
            self._window_ends = now + WINDOW
            self._sent.clear()
            self._quiet = False
        if self._sent[fingerprint] < PER_ERROR and self._sent.total() < PER_PROCESS:
            self._sent[fingerprint] += 1
            return True
        self.dropped += 1
        if not self._quiet:
            self._quiet = True
            log.warning("errors.not_reported", dropped=self.dropped)
        return False


def _client(settings: Settings) -> Client:
    dsn = settings.sentry_dsn
    try:
        return Client(
            dsn=dsn.get_secret_value() if dsn else None,
            release=settings.sentry_release or __version__,
            environment=settings.environment,
            default_integrations=False,
            auto_enabling_integrations=False,
            include_local_variables=False,
            max_request_body_size="never",
            max_breadcrumbs=0,
            auto_session_tracking=False,
        )
    except BadDsn:
        raise ConfigurationError(
            "SENTRY_DSN is not a DSN. Copy it from the settings of the project in Sentry"
        ) from None


def _fingerprint(error: BaseException) -> str:
    """Return the class of an error and the function that raised it, which identify equal errors."""
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    place = traceback.tb_frame.f_code if traceback else None
    return f"{type(error).__qualname__} {place}"
