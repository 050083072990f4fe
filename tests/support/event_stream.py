"""A client of server-sent events."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2

from tests.support.waiting import stall_limit


@dataclass
class Event:
    name: str = "message"
    id: str | None = None
    retry: int | None = None
    data: dict[str, Any] = field(default_factory=dict)

    @property
    def state(self) -> str:
        return str(self.data["state"])


class EventStream:
    """A stream of events. `comments` counts the lines that keep the connection alive."""

    def __init__(self, response: httpx2.Response) -> None:
        self.response = response
        self.comments = 0
        self._lines = response.aiter_lines()

    async def next(self) -> Event | None:
        """Return the next event, None at the end of the stream."""
        async with stall_limit("an event"):
            return await self._next()

    async def until(self, state: str) -> Event:
        """Return the first event with a state."""
        while event := await self.next():
            if event.data.get("state") == state:
                return event
        raise AssertionError(f"the stream ended before the state {state}")

    async def rest(self) -> list[Event]:
        """Return all events up to the end."""
        events = []
        while event := await self.next():
            events.append(event)
        return events

    async def _next(self) -> Event | None:
        event = Event()
        is_empty = True
        async for line in self._lines:
            name, _, value = line.partition(": ")
            match name:
                case "":
                    if line.startswith(":"):
                        self.comments += 1
                    elif not is_empty:
                        return event
                case "data":
                    event.data = json.loads(value)
                case "event":
                    event.name = value
                case "id":
                    event.id = value
                case "retry":
                    event.retry = int(value)
            is_empty = is_empty and not name
        return None


@asynccontextmanager
async def open_stream(
    client: httpx2.AsyncClient, path: str, headers: dict[str, str]
) -> AsyncIterator[EventStream]:
    async with client.stream("GET", path, headers=headers, timeout=None) as response:
        yield EventStream(response)
