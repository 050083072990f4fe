"""`metrics`: export the state of the queues and their servers to Prometheus."""

import asyncio
import signal
from contextlib import suppress

from app.cli.command import DONE, Arguments, Subparsers, add_command, print_error
from app.core import control
from app.core.control import Overview
from app.core.database import DATABASE_ERRORS
from app.core.resources import Resources
from app.schemas.health import Readiness
from app.services.health_service import check_readiness

PORT = 9463
INTERVAL = 5.0
"""Seconds between two reads of the queues, regardless of how often Prometheus scrapes."""

DESCRIPTION = """\
Export the queues, the outbox, and the availability of PostgreSQL and Redis to Prometheus. One
process is enough, and a second one does no harm. It keeps running while a server is down.
"""


class MetricsArguments(Arguments):
    port: int


def register(commands: Subparsers) -> None:
    metrics = add_command(commands, "metrics", serve, help="export the queues to Prometheus")
    metrics.description = DESCRIPTION
    metrics.add_argument("--port", type=int, default=PORT, help=f"by default {PORT}")


async def serve(resources: Resources, arguments: MetricsArguments) -> int:
    from app.cli.queue_gauges import QueueGauges  # noqa: PLC0415  no other command needs Prometheus
    from app.core.telemetry.metrics_server import listen, serving  # noqa: PLC0415

    host = resources.settings.metrics_host
    listener = listen(host, arguments.port, ports=1)
    if listener is None:
        return print_error(
            f"Port {arguments.port} of {host} cannot be used. Choose another: --port, METRICS_HOST"
        )
    stopping, gauges = asyncio.Event(), QueueGauges()
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):  # Windows
            asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    with serving(gauges.registry, listener):
        while not stopping.is_set():
            gauges.update(*await read_state(resources))
            with suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), INTERVAL)
    return DONE


async def read_state(resources: Resources) -> tuple[Readiness, Overview | None]:
    """Return which servers answer in time, and the state of the queues."""
    return await asyncio.gather(
        check_readiness(
            resources.database, resources.queues, resources.settings, shutting_down=False
        ),
        _overview(resources),
    )


async def _overview(resources: Resources) -> Overview | None:
    try:
        async with asyncio.timeout(resources.settings.health_timeout):
            return await control.overview(resources.reader, resources.queues)
    except DATABASE_ERRORS:
        return None
