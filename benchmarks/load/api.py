"""The API of a checkout as a separate process, with a logged-in superuser and 100 users."""

import asyncio
import json
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import asyncpg
import httpx2

from benchmarks.checkouts import python
from benchmarks.http.server import SERVER_CORE
from benchmarks.load.client import Load
from dev.processes import free_port

EMAIL, PASSWORD = "load@example.com", "a fresh battery staple"
COMMAND_OF_IMAGE = re.compile(r"^CMD (\[.*\])$", re.MULTILINE)
TICKS = os.sysconf("SC_CLK_TCK")


STRANGERS = """
INSERT INTO users (id, email, full_name, is_active, is_superuser)
SELECT gen_random_uuid(), 'stranger' || n || '@example.com', 'Stranger ' || n, true, false
FROM generate_series(1, 99) AS n
"""


class Api:
    """A running API, and the load on it."""

    def __init__(self, pid: int, port: int, token: str) -> None:
        self._folder = Path(f"/proc/{pid}")
        self._port = port
        self._token = token

    def load(self, method: str, path: str, body: str = "") -> Load:
        """Return the load of one kind of request, without connections."""
        lines = [f"{method} /api/v1{path} HTTP/1.1", "Host: x", f"Authorization: {self._token}"]
        if body:
            lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
        return Load(self._port, "\r\n".join([*lines, "", body]).encode())

    @property
    def memory(self) -> int:
        """The resident memory in kB."""
        resident = re.search(r"VmRSS:\s+(\d+)", (self._folder / "status").read_text())
        assert resident is not None
        return int(resident[1])

    @property
    def cpu_seconds(self) -> float:
        fields = (self._folder / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS


@asynccontextmanager
async def running_api(checkout: Path, environment: dict[str, str]) -> AsyncIterator[Api]:
    """Start the API as its image does, on its own core and port. Stop it after the block."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        *(python(checkout), *command(checkout), "--host", "127.0.0.1", "--port", str(port)),
        cwd=checkout,
        env=environment | {"FIRST_SUPERUSER_EMAIL": EMAIL, "FIRST_SUPERUSER_PASSWORD": PASSWORD},
        stderr=asyncio.subprocess.DEVNULL,
    )
    os.sched_setaffinity(process.pid, {SERVER_CORE})
    try:
        while not await _accepts(port):
            if process.returncode is not None:
                raise RuntimeError("the API did not start")
            await asyncio.sleep(0.05)
        yield Api(process.pid, port, await _log_in(port))
    finally:
        with suppress(ProcessLookupError):  # it has ended by itself
            process.terminate()
        await process.wait()


async def add_strangers(database_url: str) -> None:
    """Add users, so that a page of a hundred is full."""
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(STRANGERS)
    finally:
        await connection.close()


def command(checkout: Path) -> list[str]:
    """Return the arguments of Python in a checkout's image. Earlier images started uvicorn."""
    found = COMMAND_OF_IMAGE.search((checkout / "Dockerfile").read_text())
    assert found is not None
    arguments: list[str] = json.loads(found[1])
    return arguments[1:] if arguments[0] == "python" else ["-m", *arguments]


async def _accepts(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except ConnectionRefusedError:
        return False
    writer.close()
    return True


async def _log_in(port: int) -> str:
    """Return the value of an Authorization header."""
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}/api/v1") as client:
        form = {"username": EMAIL, "password": PASSWORD}
        tokens = (await client.post("/login/access-token", data=form)).raise_for_status().json()
    return f"Bearer {tokens['access_token']}"
