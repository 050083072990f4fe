"""Requests are measured by route. Nothing that a client chooses becomes a label."""

import random
import string
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import cache

import httpx2
import pytest
from fastapi import FastAPI
from starlette.routing import Router
from starlette.types import Message

from app.core.config import Settings
from app.core.http.admission import Admission
from app.core.http.concurrency import ConcurrencyLimiter
from app.core.http.measured import Measured
from app.core.resources import Resources
from app.core.setup import create_application
from app.core.telemetry.metrics_requests import RequestMetrics
from dev.processes import free_port
from tests.support.metrics import scrape
from tests.support.service import serve, with_settings

DURATION = "http_server_request_duration_seconds_count"


@cache
def port() -> int:
    """Return the port of this process, which serves one client for all of these tests.

    A constant would be the same in all processes of the test run, because they are copies.
    """
    return free_port()


@pytest.fixture
async def client(resources: Resources) -> AsyncIterator[httpx2.AsyncClient]:
    async with serve(with_settings(resources, metrics_port=port())) as client:
        yield client


async def test_a_request_is_counted_under_its_route(client: httpx2.AsyncClient) -> None:
    labels = {"method": "GET", "route": "/api/v1/items/{id}", "status": "401"}
    await client.get("/api/v1/items/7a6e3c1e-0000-0000-0000-000000000000")

    counted = (await scrape(port())).series(DURATION)
    assert counted[tuple(sorted(labels.items()))] == 1
    assert not any("7a6e3c1e" in str(series) for series in counted)


async def test_ten_thousand_random_addresses_add_no_series(settings: Settings) -> None:
    app = create_application(settings)
    metrics = RequestMetrics(Admission(1, ConcurrencyLimiter(1)))
    routes = Measured(app.router, observe=metrics.observe)
    nothing = Measured(Router(), observe=metrics.observe)  # where no route matches, but quicker
    rng = random.Random(1)  # noqa: S311  no secret
    folders = [
        "/",
        "/api/v1/",
        "/api/v1/users/",
        "/assets/",
        "/docs/",
        "/api/v1/items/",
        "//",
        "/a/",
    ]

    for number in range(10_000):
        name = "".join(rng.choices(string.printable, k=rng.randint(2, 12)))
        method = "GET" if number % 2 else f"M{number}"
        await ask(routes if number % 50 < 2 else nothing, app, method, rng.choice(folders) + name)

    [durations, *_] = metrics.collect()
    found = {sample.labels["route"] for sample in durations.samples}
    methods = {sample.labels["method"] for sample in durations.samples}
    known = {getattr(route, "path", "") for route in app.routes} | {"unmatched", "/assets/{path}"}
    assert methods == {"GET", "other"}
    assert found <= known
    assert len(found) < 10


async def ask(measured: Measured, app: FastAPI, method: str, path: str) -> None:
    """Send a request to the routes and ignore the answer."""

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(_: Message) -> None:
        pass

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "root_path": "",
        "query_string": b"",
        "headers": [],
        "app": app,
    }
    with suppress(Exception):
        await measured(scope, receive, send)


async def test_the_public_port_serves_no_metrics(client: httpx2.AsyncClient) -> None:
    assert (await client.get("/metrics")).status_code == 404


async def test_the_connections_to_the_database_are_counted(
    client: httpx2.AsyncClient, settings: Settings
) -> None:
    await client.get("/health/ready")

    found = await scrape(port())
    limit = settings.database_pool_size + settings.database_max_overflow
    assert found.value("db_pool_connections_max") == limit
    assert found.value("db_pool_connections", state="in_use") is not None
    assert found.value("db_pool_connections", state="idle") is not None
