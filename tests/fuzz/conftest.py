"""The fixtures of generated requests, and a line at the end with their number."""

from collections import Counter
from collections.abc import AsyncIterator, Callable

import pytest

from app.core.config import Settings
from app.core.resources import Resources
from app.core.security.throttle import Throttle, open_throttle
from tests.fuzz.statuses import RecordStatus
from tests.routes.people import People, create_people
from tests.support.limits import UNLIMITED, limits

ANSWERED = "answered"

ENOUGH = 4_000
"""The minimum number of requests in a whole run."""


@pytest.fixture
async def people(resources: Resources) -> People:
    return await create_people(resources)


@pytest.fixture
async def throttle(settings: Settings) -> AsyncIterator[Throttle]:
    """Never limit a client, because the routes behind the throttle are tested."""
    generous = limits(account=UNLIMITED)
    async with open_throttle(settings.model_copy(update=generous)) as throttle:
        yield throttle


@pytest.fixture
def record_status(record_property: Callable[[str, object], None]) -> RecordStatus:
    """Record the status of a response, for the line at the end."""
    return lambda status: record_property(ANSWERED, status)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Report the number of requests and their statuses."""
    statuses = _statuses(terminalreporter)
    if not statuses:
        return
    told = ", ".join(f"{count} with {status}" for status, count in sorted(statuses.items()))
    terminalreporter.section(f"{statuses.total()} requests made up")
    terminalreporter.write_line(told)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a whole run with too few requests."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    options = session.config.option
    whole = options.markexpr == "fuzz" and not (options.keyword or options.collectonly)
    if whole and reporter and _statuses(reporter).total() < ENOUGH:
        reporter.write_line(f"\nfewer than {ENOUGH} requests were made up", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _statuses(terminalreporter: pytest.TerminalReporter) -> Counter[object]:
    return Counter(
        value
        for outcome in ("passed", "failed")
        for report in terminalreporter.stats.get(outcome, ())
        if report.when == "call"
        for name, value in report.user_properties
        if name == ANSWERED
    )
