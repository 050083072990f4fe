"""Connections with little overhead that send one request at a time."""

import asyncio
import re
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

from benchmarks.queue.figures import quantile

LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
TICK = 0.002
CONNECTING_AT_ONCE = 100


@dataclass(frozen=True)
class Response:
    status: int
    latency: float
    at: float
    """The time of arrival, in seconds since the beginning of the phase."""

    @property
    def succeeded(self) -> bool:
        return self.status in {200, 201}


@dataclass
class Outcome:
    """The responses of one phase of load."""

    seconds: float
    responses: list[Response] = field(default_factory=list)
    lost: int = 0
    """Connections that the API closed."""

    @property
    def goodput(self) -> float:
        """Successful responses per second."""
        return sum(each.succeeded for each in self.responses) / self.seconds

    def rate(self, status: int) -> float:
        return len(self.latencies(status)) / self.seconds

    def latencies(self, status: int) -> Sequence[float]:
        return [each.latency for each in self.responses if each.status == status]

    def percentile(self, status: int, share: float) -> float:
        """Return a latency in milliseconds, or 0 if no response has the status."""
        return 1000 * quantile(self.latencies(status) or [0.0], share)

    def reached(self, goodput: float, window: float) -> float:
        """Return when the goodput of a window first reached a value, or the end of the phase."""
        successes = deque[float]()
        for response in self.responses:
            if response.succeeded:
                successes.append(response.at)
                while successes[0] < response.at - window:
                    successes.popleft()
                if len(successes) >= goodput * window:
                    return successes[0]
        return self.seconds


class Connection(asyncio.Protocol):
    """A keep-alive connection."""

    def __init__(self, load: "Load") -> None:
        self._load = load
        self._received = b""
        self._sent_at = 0.0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass
        self._load.take_back(self)

    def send(self) -> None:
        assert self._transport is not None
        self._received, self._sent_at = b"", time.perf_counter()
        self._transport.write(self._load.request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found:
            return
        length = LENGTH.search(head)
        if length and len(body) >= int(length[1]):
            self._load.record(int(head[9:12]), self._sent_at)
            self._load.take_back(self)

    def connection_lost(self, _: Exception | None) -> None:
        self._load.lose(self)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()


class Load:
    """Many connections to one port that send the same request."""

    def __init__(self, port: int, request: bytes) -> None:
        self.port = port
        self.request = request
        self._outcome = Outcome(1.0)
        self._began = 0.0
        self._free: deque[Connection] = deque()
        self._connections: set[Connection] = set()
        self._closed_loop = False

    def take_back(self, connection: Connection) -> None:
        """Take back a free connection. In a closed loop, it sends again at once."""
        if self._closed_loop:
            connection.send()
        else:
            self._free.append(connection)

    def lose(self, connection: Connection) -> None:
        """Forget a connection that the API has closed, unless the load has closed it before."""
        if connection in self._connections:
            self._connections.remove(connection)
            self._outcome.lost += 1
            if connection in self._free:
                self._free.remove(connection)

    def record(self, status: int, sent_at: float) -> None:
        now = time.perf_counter()
        self._outcome.responses.append(Response(status, now - sent_at, now - self._began))

    async def connect(self, number: int) -> None:
        for start in range(0, number, CONNECTING_AT_ONCE):
            some = range(start, min(start + CONNECTING_AT_ONCE, number))
            await asyncio.gather(*(self._connect() for _ in some))

    async def closed(self, seconds: float) -> Outcome:
        """Send the next request on each connection as soon as it has a response."""
        self._begin(seconds)
        self._closed_loop = True
        while self._free:
            self._free.popleft().send()
        await asyncio.sleep(seconds)
        return self._outcome

    async def open(self, rate: float, seconds: float) -> Outcome:
        """Send `rate` requests per second on free connections, without waiting for responses."""
        self._begin(seconds)
        sent = 0
        while (elapsed := time.perf_counter() - self._began) < seconds:
            for _ in range(min(int(elapsed * rate) - sent, len(self._free))):
                self._free.popleft().send()
            sent = int(elapsed * rate)
            await asyncio.sleep(TICK)
        return self._outcome

    def disconnect(self) -> None:
        """Drop all connections, like clients that give up."""
        self._closed_loop = False
        connections, self._connections = self._connections, set()
        for connection in connections:
            connection.close()
        self._free.clear()
        self._outcome = Outcome(1.0)  # later responses belong to no phase

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(
            lambda: Connection(self), "127.0.0.1", self.port
        )
        self._connections.add(connection)

    def _begin(self, seconds: float) -> None:
        self._outcome, self._began = Outcome(seconds), time.perf_counter()
