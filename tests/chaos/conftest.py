"""The fixtures of the chaos tests: a seed, a deployment, and a table at the end."""

import gc
import os
import random
import sys
import warnings
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from dev.mail_catcher import MailCatcher
from tests.chaos.deployment import Deploy, Deployment, open_deployment
from tests.chaos.engines import Engine, Ours, Stock
from tests.support.limits import limits
from tests.support.reports import REPORTED, Report, reported_lines
from tests.support.servers import Servers, copy_template, execute, settings_for

# libfaketime, which changes the clocks, is available on Linux only.
collect_ignore = [] if sys.platform == "linux" else ["test_clock.py"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--seed", type=int, default=1, help="seed of the chaos tests")


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> random.Random:
    """Random choices that are the same for the same seed and test."""
    seed = request.config.getoption("seed", 1)
    return random.Random(f"{seed} {request.node.name}")  # noqa: S311  no secret


@pytest.fixture
def report(record_property: Callable[[str, object], None]) -> Report:
    """Add a line to the table at the end."""
    return lambda text: record_property(REPORTED, text)


@pytest.fixture
def sockets_left_to_gc() -> Iterator[None]:
    """Ignore warnings for sockets of a dead server, which redis-py leaves to the collector."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture
def deploy(
    servers: Servers,
    worker_id: str,
    tmp_path: Path,
    rng: random.Random,
    sockets_left_to_gc: None,  # noqa: ARG001  torn down after the deployment
) -> Deploy:
    """Deploy the service with an engine, and with environment variables for its processes."""

    @asynccontextmanager
    async def deploy(
        engine: Engine | None = None,
        *,
        variables: Mapping[str, str] | None = None,
        redis_variables: Mapping[str, str] | None = None,
    ) -> AsyncIterator[Deployment]:
        name = f"chaos_{worker_id}_{os.getpid()}"
        await copy_template(servers, name)
        try:
            with MailCatcher(tmp_path / "emails") as mail_catcher:
                settings = settings_for(
                    servers,
                    name,
                    0,
                    smtp_host=mail_catcher.host,
                    smtp_port=mail_catcher.port,
                    worker_grace_period=30,
                    **limits(),
                )
                async with open_deployment(
                    settings,
                    tmp_path,
                    rng,
                    mail_catcher,
                    engine=engine or Ours(),
                    variables=variables or {},
                    redis_variables=redis_variables,
                ) as deployment:
                    yield deployment
        finally:
            await execute(servers.postgres, f"DROP DATABASE {name} WITH (FORCE)")

    return deploy


@pytest.fixture(
    params=[Ours(), pytest.param(Stock(), marks=pytest.mark.stock)], ids=["ours", "stock"]
)
async def each_engine(request: pytest.FixtureRequest, deploy: Deploy) -> AsyncIterator[Deployment]:
    """A deployment of our engine, then one of stock arq."""
    async with deploy(request.param) as deployment:
        yield deployment


@pytest.fixture
async def deployment(deploy: Deploy) -> AsyncIterator[Deployment]:
    async with deploy() as deployment:
        yield deployment


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what the tests reported, one line each."""
    lines = reported_lines(terminalreporter)
    if lines:
        seed = terminalreporter.config.getoption("seed", 1)
        terminalreporter.section(f"results with --seed {seed}")
        terminalreporter.write_line("\n".join(lines))
