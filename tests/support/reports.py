"""The reports of long tests, for a table at the end of the run."""

from collections.abc import Callable

import pytest

REPORTED = "reported"

Report = Callable[[str], None]
"""The function with which a test adds a line to the table."""


def reported_lines(terminalreporter: pytest.TerminalReporter) -> list[str]:
    """Return the lines of the table, sorted by test."""
    reports = [
        report
        for outcome in ("passed", "failed")
        for report in terminalreporter.stats.get(outcome, ())
        if report.when == "call"
    ]
    lines = [
        f"{report.outcome:8}{report.head_line}: {value}"
        for report in reports
        for name, value in report.user_properties
        if name == REPORTED
    ]
    return sorted(lines, key=lambda line: line[8:])
