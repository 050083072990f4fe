"""A real Prometheus with the alerts in ops/, whose minutes are shortened to seconds."""

import asyncio
import re
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import httpx2
import pydantic_core

from dev.processes import free_port
from tests.seams.components import find_component
from tests.support.servers import ROOT
from tests.support.waiting import stall_limit

ALERTS = ROOT / "ops/prometheus/alerts.yml"


@dataclass
class Prometheus:
    """A running Prometheus. `client` queries it."""

    client: httpx2.AsyncClient

    async def series(self, expression: str) -> int:
        """Return the number of series of an expression. Raise ValueError if it is invalid."""
        response = await self.client.get("/api/v1/query", params={"query": expression})
        answer = response.json()
        if answer["status"] != "success":
            raise ValueError(f"{expression}: {answer['error']}")
        return len(answer["data"]["result"])

    async def firing(self) -> set[str]:
        response = await self.client.get("/api/v1/alerts")
        alerts = response.json()["data"]["alerts"]
        return {alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"}

    async def until(self, names: Collection[str], *, fire: bool) -> dict[str, float]:
        """Wait until alerts fire, or until none of them does. Return the seconds until each."""
        began, seconds = monotonic(), dict[str, float]()
        async with stall_limit(f"{sorted(names)} to {'fire' if fire else 'clear'}"):
            while True:
                firing = await self.firing()
                for name in names:
                    if (name in firing) is fire:
                        seconds.setdefault(name, monotonic() - began)
                    elif not fire:
                        seconds.pop(name, None)  # the alert has stopped and fired again
                if seconds.keys() == set(names):
                    return seconds
                await asyncio.sleep(0.25)


def hurried(rules: str) -> str:
    """Shorten each period, but keep the thresholds of production."""
    return re.sub(r"for: \d+m", "for: 2s", re.sub(r"\[\d+m\]", "[15s]", rules))


def configure(folder: Path, targets: Mapping[str, int]) -> None:
    folder.mkdir()
    (folder / "alerts.yml").write_text(hurried(ALERTS.read_text()))
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": ["alerts.yml"],
        "scrape_configs": [
            {"job_name": name, "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}
            for name, port in targets.items()
        ],
    }
    (folder / "prometheus.yml").write_bytes(pydantic_core.to_json(config))  # YAML contains JSON


@asynccontextmanager
async def watching(folder: Path, targets: Mapping[str, int]) -> AsyncIterator[Prometheus]:
    """Scrape these ports every second, and yield when all of them have been read."""
    program = find_component("prometheus", package="prometheus")
    configure(folder, targets)
    port = free_port()
    with (folder / "log").open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            program,
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            stdout=output,
            stderr=output,
        )
    try:
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            await _until_all_are_read(client, len(targets))
            yield Prometheus(client)
    finally:
        process.terminate()
        await process.wait()


async def _until_all_are_read(client: httpx2.AsyncClient, targets: int) -> None:
    async with stall_limit("Prometheus to read all processes"):
        while True:
            with suppress(httpx2.TransportError, KeyError, ValueError):
                response = await client.get("/api/v1/query", params={"query": "sum(up)"})
                result = response.json()["data"]["result"]
                if result and float(result[0]["value"][1]) == targets:
                    return
            await asyncio.sleep(0.25)
