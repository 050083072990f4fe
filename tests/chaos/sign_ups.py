"""People who sign up over HTTP, at a real API that may be killed."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import httpx2
from sqlalchemy import text

from app.dev.processes import free_port
from tests.chaos.ground import Ground
from tests.chaos.programs import Program

PATIENCE = 20.0
"""Seconds that a person waits for an answer."""

PEOPLE = "SELECT email FROM users"


@dataclass
class Api:
    """The API of a ground, always on the same port.

    `answers` holds what people were told, `seconds` how long the last of them waited.
    """

    ground: Ground
    client: httpx2.AsyncClient
    port: int
    program: Program
    answers: dict[str, int | str] = field(default_factory=dict)
    seconds: float = 0

    async def restart(self) -> None:
        """Start it where it was, and return when it answers."""
        self.program = await _start(self.ground, self.port)
        await self.until_it_answers()

    async def until_it_answers(self) -> None:
        async with asyncio.timeout(120):
            while True:
                with suppress(httpx2.TransportError):
                    if (await self.client.get("/health/live")).is_success:
                        return
                await asyncio.sleep(0.05)

    async def sign_up(self, email: str) -> int | str:
        """Tell the answer's status, or what was wrong where none came."""
        person = {"email": email, "password": "correct horse", "full_name": "Ada"}
        asked_at = time.monotonic()
        try:
            answer = await self.client.post("/api/v1/users/signup", json=person)
        except httpx2.TransportError as error:
            self.answers[email] = repr(error)
        else:
            self.answers[email] = answer.status_code
            self.seconds = time.monotonic() - asked_at
        return self.answers[email]

    async def sign_up_until(self, stop: asyncio.Event, *, every: float) -> None:
        """Have people sign up, one every so many seconds, whether the last one is done or not."""
        async with asyncio.TaskGroup() as group:
            number = 0
            while not stop.is_set():
                group.create_task(self.sign_up(f"person-{number}@example.com"))
                number += 1
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), every)

    def refused(self) -> dict[str, int | str]:
        """Tell who did not get the answer that an account was created."""
        return {email: answer for email, answer in self.answers.items() if answer != 201}

    async def people(self) -> set[str]:
        """Tell whose sign-up was committed."""
        async with self.ground.resources.database.engine.connect() as connection:
            return {row.email for row in await connection.execute(text(PEOPLE))}


@asynccontextmanager
async def serving(ground: Ground) -> AsyncIterator[Api]:
    """Start the API and give people a client."""
    port = free_port()
    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=0)
    async with httpx2.AsyncClient(
        base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE, limits=limits
    ) as client:
        api = Api(ground, client, port, await _start(ground, port))
        await api.until_it_answers()
        yield api


async def _start(ground: Ground, port: int) -> Program:
    return await ground.start(
        "-m", "uvicorn", ground.engine.api, "--host", "127.0.0.1", "--port", str(port)
    )


def welcomed(ground: Ground) -> Counter[str]:
    """Tell who was welcomed how often."""
    mails = ground.mails.messages()
    return Counter(mail.to[0] for mail in mails if mail.subject == "Welcome")


def arrivals(ground: Ground) -> list[float]:
    """Tell when the mails came, in Unix seconds."""
    return sorted(mail.received_at.timestamp() for mail in ground.mails.messages())


async def until_welcomed(ground: Ground, people: Iterable[str], *, within: float) -> Counter[str]:
    """Wait until all of these people have their mail, or for so many seconds."""
    wanted, deadline = set(people), time.monotonic() + within
    while not wanted <= welcomed(ground).keys() and time.monotonic() < deadline:
        await asyncio.sleep(0.1)
    return welcomed(ground)


def assert_welcomed_once(mails: Counter[str], people: Iterable[str]) -> None:
    wanted = set(people)
    twice = {email: count for email, count in mails.items() if count > 1}
    missing = sorted(wanted - mails.keys())
    strange = sorted(mails.keys() - wanted)
    complaint = (
        f"{len(missing)} of {len(wanted)} got no mail: {missing[:20]}; more than one: {twice}; "
        f"unknown: {strange}"
    )
    assert (missing, twice, strange) == ([], {}, []), complaint
