"""The application behind a real server, inside the test's process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import uvicorn
from fastapi import FastAPI

from app.core.http.protocol import BoundedHttp
from tests.support.waiting import STALLED_AFTER, wait_until


@asynccontextmanager
async def listening(app: FastAPI, port: int = 0) -> AsyncIterator[int]:
    """Serve an application on a port of 127.0.0.1, by default a free one, and yield the port."""
    config = uvicorn.Config(app, port=port, http=BoundedHttp, log_config=None, proxy_headers=False)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server._serve())  # noqa: SLF001  serve() would handle the signals

    async def is_started() -> bool:
        return server.started

    await wait_until(is_started)
    [socket] = server.servers[0].sockets
    yield socket.getsockname()[1]
    server.should_exit = True
    await serving


def client_of(port: int) -> httpx2.AsyncClient:
    """Return a client that loads no certificates, which takes 30 ms and is only for TLS."""
    url = f"http://127.0.0.1:{port}"
    return httpx2.AsyncClient(base_url=url, timeout=STALLED_AFTER, verify=False)
