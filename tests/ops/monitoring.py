"""The files for Prometheus and Grafana, and real processes that export metrics."""

import json
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

from app.core.resources import Resources
from app.schemas.jobs import SendEmailVerification
from dev.processes import free_port
from tests.support.metrics import get, scrape
from tests.support.processes import run_process
from tests.support.servers import ROOT
from tests.support.service import with_settings
from tests.support.waiting import wait_until

PROMETHEUS, GRAFANA = ROOT / "ops/prometheus", ROOT / "ops/grafana"
DASHBOARDS = sorted(GRAFANA.glob("*.json"))

SIGNS_OF_LIFE = {
    "api": "http_server_request_duration_seconds_count",
    "worker": "job_pickup_seconds_count",
    "queues": "queue_due_jobs",
}
"""Metrics that a process exports after its first request or job."""


def expressions(dashboard: Path) -> list[str]:
    """Return the queries of a dashboard's panels and variables."""
    content = json.loads(dashboard.read_text())
    variables = [each["query"] for each in content["templating"]["list"] if each["type"] == "query"]
    queries = [target["expr"] for panel in content["panels"] for target in panel["targets"]]
    values = re.compile(r"label_values\((\w+), (\w+)\)")
    return [*queries, *(values.sub(r"sum by (\2) (\1)", each) for each in variables)]


@asynccontextmanager
async def exporting(resources: Resources) -> AsyncIterator[dict[str, int]]:
    """Run the API, a worker, and the process for the queues; yield their ports after some work.

    Other processes must see what the resources commit.
    """
    ports = {role: free_port() for role in SIGNS_OF_LIFE}
    public = free_port()
    await resources.queues.send(SendEmailVerification(email="stranger@example.com"))
    commands = {
        "api": ["run_api.py", "--port", str(public)],
        "worker": ["run_email_worker.py"],
        "queues": ["-m", "app", "metrics", "--port", str(ports["queues"])],
    }
    async with AsyncExitStack() as stack:
        for role, command in commands.items():
            settings = with_settings(resources, metrics_port=ports[role]).settings
            process = await stack.enter_async_context(run_process(settings, *command))
            await stack.enter_async_context(process.reading_output())

        async def everything_is_exported() -> bool:
            with suppress(OSError):
                await get(public, "/")
            for role, port in ports.items():
                try:
                    seen = await scrape(port)
                except OSError:
                    return False
                if seen.value(SIGNS_OF_LIFE[role]) is None:
                    return False
            return True

        await wait_until(everything_is_exported)
        yield ports
