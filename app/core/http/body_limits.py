"""Limits on the size of a request body and on the time in which it must arrive."""

import asyncio
from contextlib import suppress

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.core.http.problems import ProblemResponse


class BodyLimits:
    """Answers 413 to a body of more than `max_size` bytes, and 408 after `timeout` seconds.

    A body with a Content-Length is rejected unread, before a route runs. A chunked body is rejected
    with the chunk that exceeds the limit. FastAPI's `max_body_size` runs the route first, and
    answers in plain text outside of all middleware. Use it for a route with a lower limit.
    """

    def __init__(self, app: ASGIApp, *, max_size: int, timeout: float) -> None:
        self.app = app
        self.max_size = max_size
        self.timeout = timeout

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        length = headers.get("content-length", "0")
        body = Body(receive, self.max_size, self.timeout)
        if length == "0" and "transfer-encoding" not in headers:
            await self.app(scope, body.receive, send)
            return

        async def send_and_linger(message: Message) -> None:
            """Close the connection only after the body has arrived, or the response may be lost."""
            if not body.complete:
                if message["type"] == "http.response.start":
                    MutableHeaders(scope=message)["Connection"] = "close"
                elif not message.get("more_body", False):
                    await send({**message, "more_body": True})
                    await body.discard()
                    message = {"type": "http.response.body"}
            await send(message)

        if length.isdecimal() and int(length) > self.max_size:
            await ProblemResponse(413, _too_large(self.max_size))(scope, receive, send_and_linger)
        else:
            await self.app(scope, body.receive, send_and_linger)


class Body:
    """The incoming body of one request.

    The timeout applies to the whole body, because one byte per second would pass one per chunk.
    """

    def __init__(self, receive: Receive, max_size: int, timeout: float) -> None:
        self._receive = receive
        self._max_size = max_size
        self._timeout = timeout
        self._deadline: float | None = None
        self._size = 0
        self.complete = False

    async def receive(self) -> Message:
        """Return the next message. Raise HTTPException if the body is too large or too slow."""
        if self.complete:
            return await self._receive()
        try:
            message = await self._receive_in_time()
        except TimeoutError:
            raise HTTPException(408, "The body took too long to arrive.") from None
        self._size += len(message.get("body", b""))
        if self._size > self._max_size:
            raise HTTPException(413, _too_large(self._max_size))
        return message

    async def discard(self) -> None:
        """Read and drop the rest of the body until it ends or times out."""
        with suppress(TimeoutError):
            while not self.complete:
                await self._receive_in_time()

    async def _receive_in_time(self) -> Message:
        if self._deadline is None:
            self._deadline = asyncio.get_running_loop().time() + self._timeout
        async with asyncio.timeout_at(self._deadline):
            message = await self._receive()
        self.complete = not message.get("more_body", False)
        return message


def _too_large(max_size: int) -> str:
    return f"The body is larger than {max_size} bytes."
