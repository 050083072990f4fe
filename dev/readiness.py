"""Wait until the API is ready."""

import asyncio
import time

PAUSE = 0.05
PATIENCE = 20.0
"""Seconds after which bin/dev prints that it still waits."""


async def until_ready(port: int) -> bool:
    """Ask `/health/ready` until it answers 200. Return False after PATIENCE."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            async with asyncio.timeout_at(asyncio.get_running_loop().time() + PATIENCE):
                if await _status(port) == "200":
                    return True
        except (OSError, TimeoutError):
            pass
        await asyncio.sleep(PAUSE)
    return False


async def _status(port: int) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(b"GET /health/ready HTTP/1.0\r\nHost: localhost\r\n\r\n")
        return (await reader.readline()).decode().partition(" ")[2][:3]
    finally:
        writer.close()
