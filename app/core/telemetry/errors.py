"""Reports of errors that a developer has to investigate. Without `SENTRY_DSN`, there are none.

A report says where the code failed and for which request or job. It contains no values: no message
of the exception, no variable, argument, body, header, cookie, or query. The log lines have more.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from uuid import UUID

from app.core.config import Settings
from app.core.exceptions import ConfigurationError
from app.core.telemetry.reporter import Reporter, Tags

NOT_INSTALLED = (
    "SENTRY_DSN is set, but Sentry's SDK is not installed. Install it with: uv sync --extra sentry"
)


_reporter: Reporter | None = None


def report_error(error: BaseException, tags: Tags, *, user_id: UUID | None = None) -> None:
    """Report an error if SENTRY_DSN is set. `tags` name a request or a job."""
    if _reporter is not None:
        _reporter.report(error, tags, user_id)


@asynccontextmanager
async def reporting_errors(settings: Settings) -> AsyncIterator[None]:
    """Report errors during the block, and send the last reports at its end.

    Raises ConfigurationError if the extra is not installed or the DSN is not usable.
    """
    global _reporter  # noqa: PLW0603  as logging: any module may report
    if settings.sentry_dsn is None:
        yield
        return
    if find_spec("sentry_sdk") is None:
        raise ConfigurationError(NOT_INSTALLED)
    from app.core.telemetry.sentry import sentry  # noqa: PLC0415  the SDK takes long to load

    before = _reporter
    async with sentry(settings) as reporter:
        _reporter = reporter
        try:
            yield
        finally:
            _reporter = before
