"""Alerts and dashboards use metrics that real processes export, and each alert has a runbook."""

import json
import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from app.core.resources import Resources
from tests.ops.monitoring import DASHBOARDS, PROMETHEUS, exporting, expressions
from tests.support.metrics import Scrape, scrape
from tests.support.pages import Page
from tests.support.promql import missing
from tests.support.servers import ROOT

MANUAL = Page(ROOT / "docs/operating.md")

OF_THE_LIBRARY = {
    "process_cpu_seconds_total",
    "process_max_fds",
    "process_open_fds",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
    "process_virtual_memory_bytes",
}
"""Metrics that the library reads from /proc, which is on Linux only."""


def rules() -> list[dict[str, object]]:
    groups = YAML(typ="safe").load(PROMETHEUS / "alerts.yml")["groups"]
    return [rule for group in groups for rule in group["rules"]]


@pytest.fixture
async def scrapes(committing_resources: Resources) -> list[Scrape]:
    """The metrics of the API, a worker, and the process for the queues, after some work."""
    async with exporting(committing_resources) as ports:
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


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda path: path.name)
def test_a_dashboard_can_be_imported_anywhere(dashboard: Path) -> None:
    content = json.loads(dashboard.read_text())
    numbers = [panel["id"] for panel in content["panels"]]
    assert len(set(numbers)) == len(numbers)
    assert content["templating"]["list"][0]["type"] == "datasource"
    assert {panel["datasource"]["uid"] for panel in content["panels"]} == {"${datasource}"}
    assert all(panel["title"] for panel in content["panels"])


def test_every_alert_has_a_test_of_promtool() -> None:
    tests = (PROMETHEUS / "alerts_test.yml").read_text()
    assert set(re.findall(r"alertname: (\w+)", tests)) == {rule["alert"] for rule in rules()}
