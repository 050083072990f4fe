"""Fixtures for the pages in Debian's Chromium. Playwright only contributes its driver."""

import os
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, async_playwright
from pydantic import HttpUrl

from app.core.oidc.clients import open_oidc_clients
from app.core.resources import Resources
from app.core.setup import create_application
from app.core.worker.email_settings import WorkerSettings as EmailWorker
from dev.mail_catcher import MailCatcher
from tests.seams.components import find_component
from tests.support.oidc_provider import TestProvider
from tests.support.ports import free_port_pair
from tests.support.reports import REPORTED, Report, reported_lines
from tests.support.service import already_open, with_settings
from tests.support.uvicorn_server import listening
from tests.support.workers import RunWorker

HERE = Path(__file__).parent
LINK = re.compile(r"http://localhost:\d+/([\w/-]+)\?token=[\w-]+")
AS_ROOT = ["--no-sandbox"] if os.getuid() == 0 else []
PATIENCE = 60_000
"""Milliseconds. Enough for the slowest machine."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.browser)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what the tests reported."""
    if lines := reported_lines(terminalreporter):
        terminalreporter.section("pages in a browser")
        terminalreporter.write_line("\n".join(lines))


@pytest.fixture
def report(record_property: Callable[[str, object], None]) -> Report:
    """Add a line to the table at the end."""
    return lambda text: record_property(REPORTED, text)


@dataclass(frozen=True)
class Site:
    """The service on a port, and the user's emails."""

    url: str
    resources: Resources
    run_worker: RunWorker
    catcher: MailCatcher

    async def emailed_link(self, page: str) -> str:
        """Return the next link that leads to a page. A worker sends the emails first."""
        await self.run_worker(EmailWorker, using=self.resources)
        while True:
            email = self.catcher.next(timeout=0)
            for match in LINK.finditer(email.text or ""):
                if match[1] == page:
                    return match[0]


@pytest.fixture(scope="session")
async def chromium() -> AsyncIterator[Browser]:
    program = find_component("chromium", "chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=AS_ROOT)
        yield browser
        await browser.close()


@pytest.fixture
async def site(
    resources: Resources, run_worker: RunWorker, mail_catcher: MailCatcher, acme: TestProvider
) -> AsyncIterator[Site]:
    """The service on a port, with one provider."""
    port = free_port_pair()
    url = f"http://localhost:{port}"
    changed = with_settings(
        resources, public_url=HttpUrl(url), oidc_providers={"acme": acme.settings}
    )
    async with open_oidc_clients(changed.settings) as oidc:
        changed = replace(changed, oidc=oidc)
        app = create_application(changed.settings, open_resources=already_open(changed))
        async with listening(app, port):
            yield Site(url, changed, run_worker, mail_catcher)


@pytest.fixture
async def page(chromium: Browser, site: Site) -> AsyncIterator[Page]:
    """A tab of a browser without cookies."""
    async with open_tab(chromium, site) as page:
        yield page


@asynccontextmanager
async def open_tab(chromium: Browser, site: Site, **options: object) -> AsyncIterator[Page]:
    """Open a tab of a browser of its own, and close it."""
    context = await chromium.new_context(base_url=site.url, **options)  # type: ignore[arg-type]
    context.set_default_timeout(PATIENCE)
    yield await context.new_page()
    await context.close()
