"""Sign-ups over HTTP at a real API, which may be killed."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import httpx2
from sqlalchemy import text

from app.core.outgoing import sending_requests
from dev.processes import free_port
from tests.chaos.deployment import Deployment
from tests.chaos.processes import Process
from tests.support.waiting import stall_limit

PATIENCE = 20.0
"""Seconds that a client waits for an answer."""

LISTENING = "Uvicorn running on"

PEOPLE = "SELECT email FROM users"


@dataclass
class Api:
    """The API of a deployment, always on the same port.

    `answers` has the results of the sign-ups, and `seconds` the duration of the last one.
    """

    deployment: Deployment
    client: httpx2.AsyncClient
    port: int
    process: Process
    answers: dict[str, int | str] = field(default_factory=dict)
    seconds: float = 0
    _is_up: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    def __post_init__(self) -> None:
        self._is_up.set()

    async def kill_and_restart(self) -> None:
        """Kill it, start it on the same port, and return when it listens."""
        self._is_up.clear()
        await self.process.kill()
        self.process = await _start(self.deployment, self.port)
        self._is_up.set()

    async def until_it_is_back(self) -> None:
        """Wait without trying to connect, because a client that does may take the port itself."""
        async with stall_limit("the return of the API"):
            await self._is_up.wait()

    async def sign_up(self, email: str) -> int | str:
        """Return the status of the answer, or the error if there was none."""
        person = {"email": email, "password": "correct horse", "full_name": "Ada"}
        asked_at = time.monotonic()
        try:
            with sending_requests():
                answer = await self.client.post("/api/v1/users/signup", json=person)
        except httpx2.TransportError as error:
            self.answers[email] = repr(error)
        else:
            self.answers[email] = answer.status_code
            self.seconds = time.monotonic() - asked_at
        return self.answers[email]

    async def sign_up_until(self, stop: asyncio.Event, *, every: float) -> None:
        """Sign up a user every few seconds, without waiting for the answers."""
        async with asyncio.TaskGroup() as group:
            number = 0
            while not stop.is_set():
                group.create_task(self.sign_up(f"person-{number}@example.com"))
                number += 1
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), every)

    def refused(self) -> dict[str, int | str]:
        """Return the users who did not get the answer 201."""
        return {email: answer for email, answer in self.answers.items() if answer != 201}

    async def people(self) -> set[str]:
        """Return the users whose sign-up was committed."""
        async with self.deployment.resources.database.engine.connect() as connection:
            return {row.email for row in await connection.execute(text(PEOPLE))}


@asynccontextmanager
async def serving(deployment: Deployment) -> AsyncIterator[Api]:
    """Start the API, and yield it with a client."""
    port = free_port()
    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=0)
    async with httpx2.AsyncClient(
        base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE, limits=limits
    ) as client:
        yield Api(deployment, client, port, await _start(deployment, port))


async def _start(deployment: Deployment, port: int) -> Process:
    """Start the API, and return when it listens. Raise AssertionError if it ends before."""
    process = await deployment.start(
        "-m", "uvicorn", deployment.engine.api, "--host", "127.0.0.1", "--port", str(port)
    )
    await process.wait_for_output(LISTENING)
    return process


def welcomed(deployment: Deployment) -> Counter[str]:
    """Return the number of welcome emails of each user."""
    emails = deployment.mail_catcher.messages()
    return Counter(email.to[0] for email in emails if email.subject == "Welcome")


def arrivals(deployment: Deployment) -> list[float]:
    """Return the times of arrival of the emails, in Unix seconds."""
    return sorted(email.received_at.timestamp() for email in deployment.mail_catcher.messages())


async def until_welcomed(
    deployment: Deployment, people: Iterable[str], *, within: float
) -> Counter[str]:
    """Wait until all of these users have their emails, or until the time is over."""
    wanted, deadline = set(people), time.monotonic() + within
    while not wanted <= welcomed(deployment).keys() and time.monotonic() < deadline:
        await asyncio.sleep(0.1)
    return welcomed(deployment)


def assert_welcomed_once(emails: Counter[str], people: Iterable[str]) -> None:
    wanted = set(people)
    twice = {email: count for email, count in emails.items() if count > 1}
    missing = sorted(wanted - emails.keys())
    strange = sorted(emails.keys() - wanted)
    complaint = (
        f"{len(missing)} of {len(wanted)} got no email: {missing[:20]}; more than one: {twice}; "
        f"unknown: {strange}"
    )
    assert (missing, twice, strange) == ([], {}, []), complaint
