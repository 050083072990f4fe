"""What the tests that break things share: a seed, a ground of their own, and a table at the end."""

import gc
import os
import random
import sys
import warnings
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from app.dev.mail_catcher import MailCatcher
from tests.chaos.engines import Engine, Ours, Stock
from tests.chaos.ground import Ground, laid
from tests.conftest import TEMPLATE, Servers, execute, settings_for

# What puts clocks forward is installed on Linux only.
collect_ignore = [] if sys.platform == "linux" else ["test_clock.py"]

SEEN = "seen"

Seen = Callable[[str], None]
Lay = Callable[..., AbstractAsyncContextManager[Ground]]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--seed", type=int, default=1, help="what the tests of chaos draw lots by")


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> random.Random:
    """Whatever is left to chance; the same for the same seed and test."""
    seed = request.config.getoption("seed", 1)
    return random.Random(f"{seed} {request.node.name}")  # noqa: S311  no secret


@pytest.fixture
def seen(record_property: Callable[[str, object], None]) -> Seen:
    """Note what was seen, for the table at the end."""
    return lambda text: record_property(SEEN, text)


@pytest.fixture
def outage() -> Iterator[None]:
    """redis-py leaves some sockets of a server that died to the garbage collector."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture
def lay(
    servers: Servers,
    worker_id: str,
    tmp_path: Path,
    rng: random.Random,
    outage: None,  # noqa: ARG001  torn down after the ground
) -> Lay:
    """Lay a ground with an engine, and with variables for its processes."""

    @asynccontextmanager
    async def lay(
        engine: Engine | None = None,
        *,
        variables: Mapping[str, str] | None = None,
        redis_variables: Mapping[str, str] | None = None,
    ) -> AsyncIterator[Ground]:
        name = f"chaos_{worker_id}_{os.getpid()}"
        await execute(servers.postgres, f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
        try:
            with MailCatcher(tmp_path / "mails") as mails:
                settings = settings_for(
                    servers,
                    name,
                    0,
                    smtp_host=mails.host,
                    smtp_port=mails.port,
                    worker_grace_period=30,
                    throttle_attempts_per_address=100_000,
                )
                async with laid(
                    settings,
                    tmp_path,
                    rng,
                    mails,
                    engine=engine or Ours(),
                    variables=variables or {},
                    redis_variables=redis_variables,
                ) as ground:
                    yield ground
        finally:
            await execute(servers.postgres, f"DROP DATABASE {name} WITH (FORCE)")

    return lay


@pytest.fixture(
    params=[Ours(), pytest.param(Stock(), marks=pytest.mark.stock)], ids=["ours", "stock"]
)
async def either(request: pytest.FixtureRequest, lay: Lay) -> AsyncIterator[Ground]:
    """The ground for one engine or the other."""
    async with lay(request.param) as ground:
        yield ground


@pytest.fixture
async def ground(lay: Lay) -> AsyncIterator[Ground]:
    async with lay() as ground:
        yield ground


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what was seen, a line for each test."""
    reports = [
        report
        for outcome in ("passed", "failed")
        for report in terminalreporter.stats.get(outcome, ())
        if report.when == "call"
    ]
    lines = [
        f"{report.outcome:7}{report.head_line}: {value}"
        for report in reports
        for name, value in report.user_properties
        if name == SEEN
    ]
    if lines:
        seed = terminalreporter.config.getoption("seed", 1)
        terminalreporter.section(f"seen with --seed {seed}")
        terminalreporter.write_line("\n".join(sorted(lines, key=lambda line: line[7:])))
