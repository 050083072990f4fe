"""Creates the application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from typing import TypedDict

from fastapi import FastAPI

from app import __version__
from app.core.config import Settings, load_settings
from app.core.http.admission import Admission
from app.core.http.concurrency import ConcurrencyLimiter
from app.core.http.docs import add_docs
from app.core.http.errors import add_error_handlers
from app.core.http.examples import Examples
from app.core.http.lazy_route import analyze_all
from app.core.http.measured import Measured
from app.core.http.middleware import add_middleware
from app.core.http.openapi import Application
from app.core.http.redirects import redirect_slashes
from app.core.http.shutdown import Shutdown, announced_shutdown
from app.core.job_events.hub import JobEvents, job_events
from app.core.logging import configure_logging
from app.core.resources import OpenResources, Resources, open_resources
from app.core.telemetry.metrics import open_metrics
from app.routes.api import describe_tags, include_routers
from app.routes.console import site as console
from app.routes.console.live import LiveParts
from app.routes.documentation import DESCRIPTION, EXAMPLES
from app.routes.failures import FAILURES
from app.routes.pages.site import add_pages
from app.services.first_superuser import check_first_superuser, first_superuser
from app.services.health_service import report_outages
from app.services.open_streams import OpenStreams, open_streams


class State(TypedDict):
    """The state of every request, such as `request.state.resources`."""

    resources: Resources
    shutdown: Shutdown
    admission: Admission
    streams: OpenStreams
    live_parts: LiveParts
    job_events: JobEvents


@asynccontextmanager
async def open_reported_resources(settings: Settings) -> AsyncIterator[Resources]:
    """Open the resources, and log those that do not respond."""
    async with open_resources(settings) as resources:
        await report_outages(resources.database, resources.queues)
        yield resources


def create_application(
    settings: Settings | None = None, *, open_resources: OpenResources = open_reported_resources
) -> FastAPI:
    """Create the application. Without `settings`, read them from the environment.

    Raises ConfigurationError, which ends the process, for invalid settings.
    """
    settings = settings or load_settings()
    check_first_superuser(settings)
    configure_logging(settings)
    admission = Admission(settings.request_limit, ConcurrencyLimiter(settings.requests_at_once))
    metrics = open_metrics(settings, "api")

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[State]:
        with announced_shutdown(settings.shutdown_delay) as shutdown:
            async with (
                open_resources(settings) as resources,
                metrics.serving(resources.database.engine) if metrics else nullcontext(),
                first_superuser(resources),
                open_streams(settings, resources.reader) as streams,
                job_events(resources.sessions, resources.queues) as events,
            ):
                shutdown.on_begin(streams.end_all)
                yield State(
                    resources=resources,
                    shutdown=shutdown,
                    admission=admission,
                    streams=streams,
                    job_events=events,
                    live_parts=LiveParts(),
                )

    app = Application(
        title="FastAPI Boilerplate",
        version=__version__,
        description=DESCRIPTION,
        openapi_tags=describe_tags(),
        openapi_url=None,  # add_docs serves it, with pages that load no scripts of other hosts
        failures=FAILURES,
        examples=Examples(EXAMPLES),
        lifespan=lifespan,
        # This service has its own telemetry, which shows no values of clients.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    include_routers(app)
    add_pages(app, settings, more=console.ROUTERS)
    if settings.environment == "development":
        analyze_all(app.routes)  # a mistake in an endpoint shows when it is saved
    redirect_slashes(app.router)
    if settings.serves_docs:
        add_docs(app)
    add_error_handlers(app)
    add_middleware(app, settings, admission)
    if metrics:
        app.add_middleware(Measured, observe=metrics.of_requests(admission))
    return app
