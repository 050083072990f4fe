"""Answers the requests that arrive while the API does not run. Its socket stays open meanwhile."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

PATIENCE = 1.0
"""Seconds for a request to arrive."""

ANSWER = b"""\
HTTP/1.1 503 Service Unavailable\r
Content-Type: text/plain\r
Retry-After: 1\r
Connection: close\r
\r
The API does not start. The terminal of bin/dev shows why.
"""


@asynccontextmanager
async def apologizing(listener: socket.socket) -> AsyncIterator[None]:
    """Answer 503, because a browser would otherwise wait in silence until the code is correct."""
    async with await asyncio.start_server(_answer, sock=listener.dup()):
        yield


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE)
    writer.write(ANSWER)
    writer.close()
