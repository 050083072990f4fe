"""The fixtures of the seam tests: settings, an inbox, and a table at the end."""

import asyncio
import gc
import os
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.core.config import Settings
from dev.mail_catcher import MailCatcher
from tests.seams.load_settings import under_load
from tests.support.reports import REPORTED, Report, reported_lines
from tests.support.servers import Servers, copy_template, execute, settings_for


@pytest.fixture
def report(record_property: Callable[[str, object], None]) -> Report:
    """Add a line to the table at the end."""
    return lambda text: record_property(REPORTED, text)


@pytest.fixture(autouse=True)
def sockets_left_to_gc() -> Iterator[None]:
    """Ignore warnings for sockets of a dead server, which redis-py leaves to the collector."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[MailCatcher]:
    """A mail server for this test."""
    with MailCatcher(tmp_path / "mails") as catcher:
        yield catcher


@pytest.fixture
def redis_number(worker_id: str) -> int:
    """Select the Redis databases that the tests of no other process use at the same time."""
    return 1 + int(worker_id.removeprefix("gw")) if worker_id != "master" else 0


@pytest.fixture
def own_settings(
    servers: Servers, worker_id: str, redis_number: int, inbox: MailCatcher
) -> Iterator[Settings]:
    """Settings with a separate database on the servers that all tests share."""
    name = f"seams_{worker_id}_{os.getpid()}"
    asyncio.run(copy_template(servers, name))
    yield settings_for(servers, name, redis_number, **under_load(inbox))
    asyncio.run(execute(servers.postgres, f"DROP DATABASE {name} WITH (FORCE)"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what the tests reported, and which tests did not run."""
    lines = reported_lines(terminalreporter)
    lines += [
        f"not run {report.head_line}: {report.longrepr[2]}"
        for report in terminalreporter.stats.get("skipped", ())
    ]
    if lines:
        terminalreporter.section("results of the seams")
        terminalreporter.write_line("\n".join(lines))
