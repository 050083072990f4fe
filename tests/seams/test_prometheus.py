"""A real Prometheus reads our files, and answers what the dashboards ask."""

import re
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from app.core.resources import Resources
from tests.chaos.prometheus import watching
from tests.ops.monitoring import DASHBOARDS, PROMETHEUS, exporting, expressions
from tests.seams.components import find_component
from tests.support.waiting import wait_until

pytestmark = pytest.mark.seams

ERRORS = 'http_server_request_duration_seconds_count{status=~"5.."}'
IN_TROUBLE = {f"topk(10, sum by (method, route) (rate({ERRORS}[5m])))"}
"""Queries of the dashboards without a result while there is no problem."""


async def test_every_query_of_the_dashboards_has_an_answer(
    committing_resources: Resources, tmp_path: Path
) -> None:
    async with (
        exporting(committing_resources) as ports,
        watching(tmp_path / "prometheus", ports) as prometheus,
    ):
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
