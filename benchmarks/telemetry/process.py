"""A process that sends requests to its own application and measures their CPU time in batches.

Each line of its input has a request and the number of times to send it. The output has the CPU
seconds, including those of the thread that exports spans. `python -m benchmarks.telemetry` runs it.
"""

import asyncio
import json
import sys
import time
from typing import Any

import uvloop

from app.core.setup import create_application

Message = dict[str, Any]

WARM_UP = 20


async def serve() -> None:
    app: Any = create_application()
    async with app.router.lifespan_context(app) as state:
        while line := await asyncio.to_thread(sys.stdin.readline):
            request, number = json.loads(line)
            for _ in range(WARM_UP if number > 1 else 0):
                await send(app, request, state)
            began = time.process_time()
            for _ in range(number):
                status, body = await send(app, request, state)
            seconds = time.process_time() - began
            sys.stdout.write(json.dumps([status, body.decode(), seconds]) + "\n")
            sys.stdout.flush()


async def send(app: Any, request: Message, state: Message) -> tuple[int, bytes]:  # noqa: ANN401  any ASGI application
    """Return the status and the body of the response."""
    content = request.get("body", "").encode()
    headers = {"host": "127.0.0.1", "content-length": str(len(content)), **request["headers"]}
    status, parts = 0, []

    async def receive() -> Message:
        return {"type": "http.request", "body": content, "more_body": False}

    async def take(message: Message) -> None:
        nonlocal status
        status = message.get("status", status)
        parts.append(message.get("body", b""))

    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": request["method"],
        "scheme": "http",
        "path": request["path"],
        "raw_path": request["path"].encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 50_000),
        "server": ("127.0.0.1", 8000),
        "state": dict(state),
    }
    await app(scope, receive, take)
    return status, b"".join(parts)


if __name__ == "__main__":
    uvloop.run(serve())
