import re
from collections.abc import AsyncIterator, Iterator

import pytest

from app.core.resources import Resources
from app.core.worker.email_settings import WorkerSettings as EmailWorker
from dev.mail_catcher import MailCatcher
from tests.support.accounts import PASSWORD, Person, create_user
from tests.support.browser import SERVICE
from tests.support.oidc_provider import TestProvider, run_provider
from tests.support.page_browser import PageBrowser
from tests.support.passwords import hash_password
from tests.support.service import serve
from tests.support.workers import RunWorker

LINK = re.compile(r"https://service\.example\.com/([\w/-]+)\?token=[\w-]+")


class Inbox:
    """The user's emails. A worker sends them first."""

    def __init__(self, run_worker: RunWorker, catcher: MailCatcher) -> None:
        self._run_worker = run_worker
        self._catcher = catcher

    async def link(self, page: str) -> str:
        """Return the next link that leads to a page."""
        await self._run_worker(EmailWorker)
        while True:
            email = self._catcher.next(timeout=0)
            for match in LINK.finditer(email.text or ""):
                if match[1] == page:
                    return match[0]


@pytest.fixture
def resources(committing_resources: Resources) -> Resources:
    """Resources whose commits the worker and its outbox relay can see."""
    return committing_resources


@pytest.fixture
def inbox(run_worker: RunWorker, mail_catcher: MailCatcher) -> Inbox:
    return Inbox(run_worker, mail_catcher)


@pytest.fixture
async def visitor(resources: Resources) -> AsyncIterator[PageBrowser]:
    """A browser without JavaScript on the pages of the service."""
    async with serve(resources, SERVICE) as client:
        yield PageBrowser(client)


@pytest.fixture
async def ada(resources: Resources) -> Person:
    return await create_user(resources, password_hash=await hash_password(PASSWORD))


@pytest.fixture
async def user(visitor: PageBrowser, ada: Person) -> PageBrowser:
    """The browser of a user who has just logged in, and who did not need the form for it."""
    visitor.client.cookies.set("__Host-session", ada.refresh_token)
    await visitor.open("/account")
    return visitor


@pytest.fixture
def acme() -> Iterator[TestProvider]:
    with run_provider() as provider:
        yield provider


async def log_in(visitor: PageBrowser, person: Person, password: str = PASSWORD) -> None:
    await visitor.open("/login")
    await visitor.submit("Log in", email=person.email, password=password)
    assert visitor.page.path == "/account", visitor.page.text
