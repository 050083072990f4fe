"""Metrics are served on a separate port, and their readers cannot harm the service."""

import asyncio
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

import pytest
from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from structlog.testing import capture_logs

from app.core.config import Settings
from app.core.database import open_database
from app.core.telemetry import metrics_server
from app.core.telemetry.metrics import open_metrics
from app.core.telemetry.metrics_process import LoopLag
from dev.processes import free_port
from tests.support.metrics import get, parse, scrape, scrape_until
from tests.support.ports import free_port_pair


@pytest.fixture
def registry() -> CollectorRegistry:
    registry = CollectorRegistry()
    Gauge("example", "An example.", registry=registry).set(7)
    return registry


@contextmanager
def serving(registry: CollectorRegistry, first_port: int, host: str = "127.0.0.1") -> Iterator[int]:
    """Serve on the first free port, and return it."""
    listener = metrics_server.listen(host, first_port)
    assert listener is not None
    port: int = listener.getsockname()[1]
    with metrics_server.serving(registry, listener):
        yield port


@pytest.fixture
def port(registry: CollectorRegistry) -> Iterator[int]:
    with serving(registry, free_port()) as port:
        yield port


async def test_prometheus_reads_the_metrics_of_a_process(port: int) -> None:
    assert (await scrape(port)).value("example") == 7


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/"), ("POST", "/metrics"), ("GET", "/metrics/../etc")]
)
async def test_nothing_else_is_served_there(port: int, method: str, path: str) -> None:
    status, _ = await get(port, path, method=method)

    assert status == 404


async def test_each_process_takes_the_next_port_and_its_successor_takes_it_again(
    registry: CollectorRegistry,
) -> None:
    first = free_port_pair()
    with ExitStack() as stack:
        with serving(registry, first) as one:
            other = stack.enter_context(serving(registry, first))
            assert (one, other) == (first, first + 1)
            await scrape(other)

        assert stack.enter_context(serving(registry, first)) == one


async def test_a_process_without_an_address_for_its_metrics_runs_without_them(
    settings: Settings,
) -> None:
    elsewhere = {"metrics_port": free_port(), "metrics_host": "192.0.2.1"}
    metrics = open_metrics(settings.model_copy(update=elsewhere), "api")
    assert metrics is not None
    with capture_logs() as lines:
        async with open_database(settings) as database, metrics.serving(database.engine):
            await database.ping()

    assert "metrics.not_served" in [line["event"] for line in lines]


async def test_prometheus_is_served_although_other_scrapers_say_nothing(port: int) -> None:
    with ExitStack() as stack:
        for _ in range(metrics_server.MAX_CONNECTIONS - 1):
            stack.enter_context(closing(socket.create_connection(("127.0.0.1", port))))

        assert (await scrape(port)).value("example") == 7


async def test_a_scraper_beyond_the_limit_is_turned_away(port: int) -> None:
    with ExitStack() as stack:
        for _ in range(metrics_server.MAX_CONNECTIONS):
            stack.enter_context(closing(socket.create_connection(("127.0.0.1", port))))

        with pytest.raises((OSError, IndexError)):  # the connection closes without an answer
            await get(port)


@pytest.mark.parametrize("head", [b"\0\xff\r\n\r\n", b"GET /metrics", b"x" * 100_000])
async def test_garbage_from_a_scraper_harms_no_other(port: int, head: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head)
    writer.write_eof()
    try:
        await reader.read()
    except ConnectionError:
        pass
    finally:
        writer.close()

    assert (await scrape(port)).value("example") == 7


async def test_a_busy_scraper_gets_the_same_text_again(
    registry: CollectorRegistry, port: int
) -> None:
    class Counting(Collector):
        asked = 0

        def collect(self) -> Iterator[GaugeMetricFamily]:
            self.asked += 1
            yield GaugeMetricFamily("asked", "How often.", value=self.asked)

    counting = Counting()
    registry.register(counting)
    asked_at_first, began = counting.asked, time.monotonic()
    for _ in range(30):
        await scrape(port)

    texts = (time.monotonic() - began) / metrics_server.CACHED + 1
    assert counting.asked - asked_at_first <= texts


async def test_a_metric_that_fails_is_logged_and_the_next_scrape_asks_it_again(
    registry: CollectorRegistry, port: int
) -> None:
    class Failing(Collector):
        def collect(self) -> Iterator[GaugeMetricFamily]:
            raise ZeroDivisionError

        def describe(self) -> Iterator[GaugeMetricFamily]:
            return iter(())

    failing = Failing()
    registry.register(failing)
    with capture_logs() as lines:
        status, _ = await get(port)
    registry.unregister(failing)

    assert status == 500
    assert [line["event"] for line in lines] == ["metrics.failed"]


async def test_the_metrics_show_a_blocked_event_loop_while_it_is_blocked(
    registry: CollectorRegistry, port: int
) -> None:
    lag = LoopLag()
    registry.register(lag)
    ask = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port)) as scraper:
        time.sleep(2 * metrics_server.CACHED)  # noqa: ASYNC251  blocks the loop on purpose
        scraper.sendall(ask)
        answer = b"".join(iter(lambda: scraper.recv(65_536), b""))  # the loop is still blocked
    while_it_stood = parse(answer.partition(b"\r\n\r\n")[2].decode())
    later = await scrape_until(port, lambda each: each.value("event_loop_lag_seconds") != 0)
    lag.close()

    assert (while_it_stood.value("event_loop_lag_seconds") or 0) > metrics_server.CACHED
    assert (later.value("event_loop_lag_seconds") or 0) > metrics_server.CACHED


async def test_a_scrape_under_way_ends_before_the_process_does(
    registry: CollectorRegistry,
) -> None:
    with serving(registry, free_port()) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /metrics HTTP/1.1\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
    body = await reader.read()
    writer.close()

    assert parse(body.decode()).value("example") == 7
