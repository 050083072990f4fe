"""The metrics of a process."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from tests.support.waiting import wait_until


@dataclass(frozen=True)
class Scrape:
    """The metrics of a process at one moment, by family name."""

    families: dict[str, Metric]

    def series(self, name: str) -> dict[tuple[tuple[str, str], ...], float]:
        """Return the values of all series of this name, by their labels."""
        return {
            tuple(sorted(sample.labels.items())): sample.value
            for family in self.families.values()
            for sample in family.samples
            if sample.name == name
        }

    def value(self, name: str, /, **labels: str) -> float | None:
        """Return the sum of the series that have these labels, or None if there is none."""
        found = [
            value for key, value in self.series(name).items() if labels.items() <= dict(key).items()
        ]
        return sum(found) if found else None


def parse(text: str) -> Scrape:
    return Scrape({family.name: family for family in text_string_to_metric_families(text)})


async def get(port: int, path: str = "/metrics", *, method: str = "GET") -> tuple[int, str]:
    """Return the status and the body. The client of a library would be slower than the server."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        head, _, body = (await reader.read()).decode().partition("\r\n\r\n")
    finally:
        writer.close()
    return int(head.split()[1]), body


async def scrape(port: int) -> Scrape:
    status, text = await get(port)
    assert status == 200, text
    return parse(text)


async def scrape_until(port: int, holds: Callable[[Scrape], bool]) -> Scrape:
    """Scrape until a condition holds. The server caches its text for half a second."""
    latest: list[Scrape] = []

    async def found() -> bool:
        latest[:] = [await scrape(port)]
        return holds(latest[0])

    await wait_until(found)
    return latest[0]
