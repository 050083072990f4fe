"""Alerts and dashboards use metrics that real processes export, and each alert has a runbook."""

import json
import re
import subprocess
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from app.core.resources import Resources
from app.schemas.jobs import SendEmailVerification
from dev.processes import free_port
from tests.chaos.prometheus import watching
from tests.seams.components import find_component
from tests.support.metrics import Scrape, get, scrape
from tests.support.pages import Page
from tests.support.processes import run_process
from tests.support.promql import missing
from tests.support.servers import ROOT
from tests.support.service import with_settings
from tests.support.waiting import wait_until

PROMETHEUS, GRAFANA = ROOT / "ops/prometheus", ROOT / "ops/grafana"
DASHBOARDS = sorted(GRAFANA.glob("*.json"))
MANUAL = Page(ROOT / "docs/operating.md")

ERRORS = 'http_server_request_duration_seconds_count{status=~"5.."}'
IN_TROUBLE = {f"topk(10, sum by (method, route) (rate({ERRORS}[5m])))"}
"""Queries of the dashboards without a result while there is no problem."""

OF_THE_LIBRARY = {
    "process_cpu_seconds_total",
    "process_max_fds",
    "process_open_fds",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
    "process_virtual_memory_bytes",
}
"""Metrics that the library reads from /proc, which is on Linux only."""

SIGNS_OF_LIFE = {
    "api": "http_server_request_duration_seconds_count",
    "worker": "job_pickup_seconds_count",
    "queues": "queue_due_jobs",
}
"""Metrics that a process exports after its first request or job."""


def rules() -> list[dict[str, object]]:
    groups = YAML(typ="safe").load(PROMETHEUS / "alerts.yml")["groups"]
    return [rule for group in groups for rule in group["rules"]]


def expressions(dashboard: Path) -> list[str]:
    content = json.loads(dashboard.read_text())
    variables = [each["query"] for each in content["templating"]["list"] if each["type"] == "query"]
    queries = [target["expr"] for panel in content["panels"] for target in panel["targets"]]
    values = re.compile(r"label_values\((\w+), (\w+)\)")
    return [*queries, *(values.sub(r"sum by (\2) (\1)", each) for each in variables)]


@pytest.fixture
def resources(committing_resources: Resources) -> Resources:
    """Resources whose commits other processes can see."""
    return committing_resources


@pytest.fixture
async def ports(resources: Resources) -> AsyncIterator[dict[str, int]]:
    """The ports of the API, a worker, and the process for the queues, after some work."""
    ports = {role: free_port() for role in SIGNS_OF_LIFE}
    public = free_port()
    await resources.queues.send(SendEmailVerification(email="stranger@example.com"))
    commands = {
        "api": ["-m", "uvicorn", "main:app", "--port", str(public)],
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


@pytest.fixture
async def scrapes(ports: dict[str, int]) -> list[Scrape]:
    """The metrics of these processes."""
    return [await scrape(port) for port in ports.values()]


def exported(scrapes: list[Scrape]) -> dict[str, set[str]]:
    """Return the names of all series with their labels."""
    found: dict[str, set[str]] = {}
    for each in scrapes:
        for family in each.families.values():
            for sample in family.samples:
                found.setdefault(sample.name, set()).update(sample.labels)
    return found


async def test_alerts_dashboards_and_the_manual_name_what_real_processes_export(
    scrapes: list[Scrape],
) -> None:
    names = exported(scrapes) | {name: set[str]() for name in OF_THE_LIBRARY}
    used = {f"{rule['alert']}": [str(rule["expr"])] for rule in rules()}
    used |= {dashboard.name: expressions(dashboard) for dashboard in DASHBOARDS}
    wrong = {
        where: unknown
        for where, each in used.items()
        if (unknown := [name for expression in each for name in missing(expression, names)])
    }
    assert wrong == {}
    assert documented() == {
        re.sub("_(bucket|sum|count)$", "", name): labels - {"le"} for name, labels in names.items()
    }


def documented() -> dict[str, set[str]]:
    """Return the metrics of the manual's table with their labels."""
    row = re.compile(r"^\| (`\w+`[^|]*) \| ([^|]*)\| [^|]*\| [^|]*\|$", re.MULTILINE)
    rows = row.findall(MANUAL.path.read_text())
    return {
        name: set(re.findall(r"`(\w+)`", labels))
        for names, labels in rows
        for name in re.findall(r"`([a-z]+_\w+)`", names)
    }


def test_every_alert_has_a_runbook_a_severity_and_a_summary() -> None:
    alerts = rules()
    assert 8 <= len(alerts) <= 12
    for alert in alerts:
        notes, labels = alert["annotations"], alert["labels"]
        assert isinstance(notes, dict)
        assert isinstance(labels, dict)
        manual, _, heading = notes["runbook_url"].partition("#")
        assert (manual, heading) == ("{{ $externalLabels.runbooks }}", str(alert["alert"]).lower())
        assert heading in MANUAL.anchors_of(3)
        assert labels["severity"] in {"warning", "critical"}
        assert notes["summary"]


def test_the_example_says_where_the_runbooks_are() -> None:
    config = YAML(typ="safe").load(PROMETHEUS / "prometheus.yml")
    address = config["global"]["external_labels"]["runbooks"]
    assert address.startswith("https://")
    assert address.endswith(f"docs/{MANUAL.path.name}")


def test_every_runbook_belongs_to_an_alert() -> None:
    text = MANUAL.path.read_text().partition("\n## Alerts\n")[2].partition("\n## ")[0]
    sections = re.split(r"^### ", text, flags=re.MULTILINE)[1:]
    assert {section.split()[0] for section in sections} == {rule["alert"] for rule in rules()}
    for section in sections:
        for part in ("**Meaning.**", "**Look at**", "**Do.**"):
            assert part in section, section.split()[0]


async def test_every_query_of_the_dashboards_has_an_answer(
    ports: dict[str, int], tmp_path: Path
) -> None:
    async with watching(tmp_path / "prometheus", ports) as prometheus:
        empty = {query for each in DASHBOARDS for query in map(for_all, expressions(each))}
        assert len(empty) > 30

        async def everything_is_answered() -> bool:
            for query in [*empty]:
                if await prometheus.series(query):
                    empty.remove(query)
            return empty == IN_TROUBLE

        with suppress(AssertionError):  # the assertion below names the queries
            await wait_until(everything_is_answered)
    assert empty == IN_TROUBLE


def for_all(query: str) -> str:
    """Return a query for all queues and processes, including figures that are hidden while 0."""
    return re.sub(r"\$\w+", ".*", query).replace(" > 0", "")


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda path: path.name)
def test_a_dashboard_can_be_imported_anywhere(dashboard: Path) -> None:
    content = json.loads(dashboard.read_text())
    numbers = [panel["id"] for panel in content["panels"]]
    assert len(set(numbers)) == len(numbers)
    assert content["templating"]["list"][0]["type"] == "datasource"
    assert {panel["datasource"]["uid"] for panel in content["panels"]} == {"${datasource}"}
    assert all(panel["title"] for panel in content["panels"])


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "rules", "alerts.yml"),
        ("check", "config", "prometheus.yml"),
        ("test", "rules", "alerts_test.yml"),
    ],
    ids=" ".join,
)
def test_promtool_accepts_the_files(arguments: tuple[str, ...]) -> None:
    promtool = find_component("promtool", package="prometheus")

    done = subprocess.run(  # noqa: S603  a program of the system, and our own files
        [promtool, *arguments], cwd=PROMETHEUS, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_a_test_of_promtool() -> None:
    tests = (PROMETHEUS / "alerts_test.yml").read_text()
    assert set(re.findall(r"alertname: (\w+)", tests)) == {rule["alert"] for rule in rules()}
