"""Users who sign up without a pause, and the results."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import count

import httpx2
from sqlalchemy import text

from app.core.outgoing import sending_requests
from dev.mail_catcher import MailCatcher
from tests.seams.deployment import Deployment

RATE = 0.25
"""Seconds between two sign-ups. Even a busy machine can hash a password in this time."""

PATIENCE = 60
"""Seconds that a client waits for an answer."""

PEOPLE = text("SELECT email FROM users")


@dataclass
class Load:
    """`accepted` has the time when a sign-up was answered with 201, in Unix seconds.

    `slowest` is the longest wait for an answer, in seconds.
    """

    client: httpx2.AsyncClient
    accepted: dict[str, float] = field(default_factory=dict)
    answers: Counter[int | str] = field(default_factory=Counter)
    asked_again_after: list[float] = field(default_factory=list)
    slowest: float = 0

    async def sign_up(self, email: str) -> None:
        person = {"email": email, "password": "correct horse", "full_name": "Ada"}
        began = time.monotonic()
        try:
            with sending_requests():
                answer = await self.client.post("/api/v1/users/signup", json=person)
        except httpx2.TransportError as error:
            self.answers[type(error).__name__] += 1
            return
        finally:
            self.slowest = max(self.slowest, time.monotonic() - began)
        self.answers[answer.status_code] += 1
        if answer.status_code == 201:
            self.accepted[email] = time.time()
        elif answer.status_code == 503:
            self.asked_again_after.append(float(answer.headers["Retry-After"]))

    def first_accepted_after(self, moment: float) -> float:
        """Return the seconds from a moment until the next successful sign-up."""
        later = sorted(at for at in self.accepted.values() if at > moment)
        gaps = [
            (following - at, following)
            for at, following in zip([moment, *later], later, strict=False)
        ]
        return max(gaps)[1] - moment if gaps else float("inf")


@asynccontextmanager
async def signing_up(deployment: Deployment, *, every: float) -> AsyncIterator[Load]:
    """Sign up users one after another until the block ends, on keep-alive connections."""
    stop = asyncio.Event()
    async with httpx2.AsyncClient(base_url=deployment.api_url, timeout=PATIENCE) as client:
        load = Load(client)

        async def keep_signing_up() -> None:
            async with asyncio.TaskGroup() as people:
                for number in count():
                    if stop.is_set():
                        return
                    people.create_task(load.sign_up(f"person-{number}@example.com"))
                    with suppress(TimeoutError):
                        await asyncio.wait_for(stop.wait(), every)

        task = asyncio.create_task(keep_signing_up())
        try:
            yield load
        finally:
            stop.set()
            await task


def welcomed(catcher: MailCatcher) -> Counter[str]:
    """Return the number of welcome emails of each user."""
    return Counter(email.to[0] for email in catcher.messages() if email.subject == "Welcome")


async def wait_until_welcomed(
    catcher: MailCatcher, people: set[str], *, within: float
) -> Counter[str]:
    """Wait until all users have their emails, or until the time is over."""
    deadline = time.monotonic() + within
    while not people <= welcomed(catcher).keys() and time.monotonic() < deadline:
        await asyncio.sleep(0.1)
    return welcomed(catcher)
