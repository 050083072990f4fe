"""Count the calls of Python functions and the round trips to PostgreSQL of a request.

Both are the same on every machine. The application runs inside this process, without a server. This
file is run by its path, in the environment of the measured application:
`python costs.py MODULE:APP < requests.json`. It uses only the standard library and uvloop.
"""

import asyncio
import importlib
import itertools
import json
import os
import re
import socket
import sys
import threading
from collections.abc import Awaitable, Callable
from itertools import pairwise
from statistics import median
from types import FrameType
from typing import Any

import uvloop

Message = dict[str, Any]
Application = Callable[[Message, Callable[..., Any], Callable[..., Any]], Awaitable[None]]

WARM_UP, COUNTED = 5, 10

numbers = itertools.count()

READY_FOR_QUERY = b"Z"
HEADER = 5
"""Bytes of the header of a message: its type, and the length of the rest."""


class CountingProxy:
    """Forward everything to PostgreSQL, and count the answers that it completes."""

    def __init__(self, host: str, port: int) -> None:
        self.round_trips = 0
        self._target = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        _in_background(self._accept)

    def _accept(self) -> None:
        while True:
            client, _ = self._listener.accept()
            server = socket.create_connection(self._target)
            for link in (client, server):
                link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            _in_background(_pass_on, client, server, lambda _: None)
            _in_background(_pass_on, server, client, _Counter(self))


class _Counter:
    """Parse the server's messages on one connection."""

    def __init__(self, proxy: CountingProxy) -> None:
        self._proxy = proxy
        self._received = b""
        self._has_begun = False

    def __call__(self, data: bytes) -> None:
        if not self._has_begun:  # the first byte says whether the server wants TLS
            self._has_begun, data = True, data.removeprefix(b"N")
        self._received += data
        while len(self._received) >= HEADER:
            end = 1 + int.from_bytes(self._received[1:HEADER], "big")
            if len(self._received) < end:
                return
            self._proxy.round_trips += self._received[:1] == READY_FOR_QUERY
            self._received = self._received[end:]


def _pass_on(source: socket.socket, sink: socket.socket, see: Callable[[bytes], None]) -> None:
    while data := source.recv(65_536):
        see(data)
        sink.sendall(data)
    sink.shutdown(socket.SHUT_WR)


def _in_background(call: Callable[..., None], *arguments: object) -> None:
    threading.Thread(target=call, args=arguments, daemon=True).start()


async def count(
    app: Application, requests: list[Message], proxy: CountingProxy
) -> dict[str, dict[str, float]]:
    """Return the costs of each request by name."""
    async with _Lifespan(app) as state:
        return {each["name"]: await _count_one(app, each, state, proxy) for each in requests}


async def _count_one(
    app: Application, request: Message, state: Message, proxy: CountingProxy
) -> dict[str, float]:
    for _ in range(WARM_UP):
        status = await _send(app, request, state)
        if status >= 400:
            raise RuntimeError(f"{request['name']} is answered with {status}")
    calls = 0

    def see(_: FrameType, event: str, __: object) -> None:
        nonlocal calls
        calls += event == "call"

    before = proxy.round_trips
    totals = [0]
    sys.setprofile(see)
    for _ in range(COUNTED):
        await _send(app, request, state)
        totals.append(calls)
    sys.setprofile(None)
    round_trips = proxy.round_trips - before
    # On a busy machine, some requests meet timers of the process. The median is without them.
    typical = median(after - before for before, after in pairwise(totals))
    return {"calls": round(typical), "round_trips": round(round_trips / COUNTED, 1)}


async def _send(app: Application, request: Message, state: Message) -> int:
    """Send a request, and return the status of its response."""
    body = request.get("body", "").replace("{n}", f"-counted-{next(numbers)}").encode()
    status = 0

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        nonlocal status
        status = message.get("status", status)

    await app(_scope(request, body, state), receive, send)
    return status


def _scope(request: Message, body: bytes, state: Message) -> Message:
    headers = {"host": "127.0.0.1", **request.get("headers", {})}
    if body:
        headers |= {"content-length": str(len(body))}
    path, _, query = request["path"].partition("?")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": request["method"],
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 50_000),
        "server": ("127.0.0.1", 8000),
        "state": dict(state),
    }


class _Lifespan:
    """Start an application as a server does, and stop it."""

    def __init__(self, app: Application) -> None:
        self._app = app
        self._inbox: asyncio.Queue[Message] = asyncio.Queue()
        self._outbox: asyncio.Queue[Message] = asyncio.Queue()
        self._state: Message = {}

    async def __aenter__(self) -> Message:
        scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": self._state}
        self._running = asyncio.ensure_future(self._app(scope, self._inbox.get, self._outbox.put))
        await self._ask("startup")
        return self._state

    async def __aexit__(self, *_: object) -> None:
        await self._ask("shutdown")
        await self._running

    async def _ask(self, event: str) -> None:
        await self._inbox.put({"type": f"lifespan.{event}"})
        answer = await self._outbox.get()
        if answer["type"] != f"lifespan.{event}.complete":
            raise RuntimeError(f"The application fails at its {event}: {answer.get('message')}")


def main() -> None:
    requests = json.load(sys.stdin)
    url = os.environ["DATABASE_URL"]
    found = re.search(r"@([^:/]+):(\d+)/", url)
    if found is None:
        raise SystemExit("DATABASE_URL names no host and port")
    proxy = CountingProxy(found[1], int(found[2]))
    os.environ["DATABASE_URL"] = url.replace(found[0], f"@127.0.0.1:{proxy.port}/")
    sys.path.insert(0, os.getcwd())  # noqa: PTH109  the standard library alone
    module, _, name = sys.argv[1].partition(":")
    app = getattr(importlib.import_module(module), name)
    costs = uvloop.run(count(app, requests, proxy))
    print(json.dumps(costs))


if __name__ == "__main__":
    main()
