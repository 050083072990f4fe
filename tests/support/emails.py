"""The emails that the service sends, and their links."""

import re

from app.core.worker.email_settings import WorkerSettings as EmailWorker
from dev.caught_email import CaughtEmail
from dev.mail_catcher import MailCatcher
from tests.support.accounts import ADA
from tests.support.workers import RunWorker

LINK = re.compile(r"https://service\.example\.com/([\w/-]+)\?token=([\w-]+)\s")


class Mailbox:
    """A mailbox that first sends the waiting emails."""

    def __init__(self, run_worker: RunWorker, mail_catcher: MailCatcher) -> None:
        self._run_worker = run_worker
        self._catcher = mail_catcher

    async def receive(self) -> list[CaughtEmail]:
        """Return the emails that have been sent since the last call."""
        before = len(self._catcher.messages())
        await self._run_worker(EmailWorker)
        waiting = len(self._catcher.messages()) - before
        return [await self._catcher.anext() for _ in range(waiting)]

    async def subjects(self) -> list[str]:
        return [email.subject for email in await self.receive()]

    async def link_to(self, page: str, to: str = ADA["email"]) -> str:
        """Return the one new link that leads to a page, and went to an address."""
        [(email, link)] = [
            (email, match[0].strip())
            for email in await self.receive()
            for match in LINK.finditer(email.text or "")
            if match[1] == page and email.to == [to]
        ]
        assert link in (email.html or "")
        return link

    async def token_for(self, page: str, to: str = ADA["email"]) -> str:
        """Return the token of the one new link that leads to a page, and went to an address."""
        return (await self.link_to(page, to)).partition("?token=")[2]
