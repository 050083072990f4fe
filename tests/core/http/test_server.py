"""`python run_api.py`, which serves the API."""

import asyncio
import os
import re
from signal import SIGINT, SIGKILL, SIGTERM

import httpx2
import pytest

from app.core.config import Settings
from dev.processes import free_port
from tests.support.processes import run_process
from tests.support.uvicorn_server import client_of
from tests.support.waiting import wait_until

TWO_PROCESSES = ("run_api.py", "--processes", "2", "--port")

LOGIN = (
    b"POST /api/v1/login/access-token HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n"
    b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n"
)
FORM = b"username=ada@example.com&password=wrong"


async def test_several_processes_serve_one_port_and_one_that_crashes_is_replaced(
    settings: Settings,
) -> None:
    port = free_port()
    prompt = settings.model_copy(update={"shutdown_delay": 0.0})
    async with run_process(prompt, *TWO_PROCESSES, str(port)) as api, client_of(port) as client:
        for _ in range(2):
            await api.wait_for_line("startup complete")
        assert (await client.get("/health/live")).is_success

        first, _ = re.findall(r"process_pid\D+(\d+)", api.output)
        os.kill(int(first), SIGKILL)
        await api.wait_for_line("supervisor.process_ended")
        await api.wait_for_line("startup complete")
        assert (await client.get("/health/live")).is_success

        api.signal(SIGTERM)
        assert await api.wait_for_exit() == 0
        with pytest.raises(httpx2.ConnectError):
            await client.get("/health/live")


async def test_the_processes_end_when_their_supervisor_is_killed(settings: Settings) -> None:
    port = free_port()
    prompt = settings.model_copy(update={"shutdown_delay": 0.0})
    async with run_process(prompt, *TWO_PROCESSES, str(port)) as api:
        for _ in range(2):
            await api.wait_for_line("startup complete")

        api.signal(SIGKILL)

        for _ in range(2):
            await api.wait_for_line("shutdown complete")


@pytest.mark.parametrize("processes", ["1", "2"])
async def test_connections_are_refused_while_the_last_requests_end(
    settings: Settings, processes: str
) -> None:
    """A load balancer then chooses another machine at once."""
    port = free_port()
    prompt = settings.model_copy(update={"shutdown_delay": 0.0})
    command = ("run_api.py", "--processes", processes, "--port", str(port))

    async def is_accepted() -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionRefusedError:
            return False
        writer.close()
        return True

    async def is_refused() -> bool:
        return not await is_accepted()

    async with run_process(prompt, *command) as api:
        await wait_until(is_accepted)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(LOGIN % len(FORM))
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"

        api.signal(SIGTERM)
        await wait_until(is_refused)
        writer.write(FORM)
        assert (await reader.read()).startswith(b"HTTP/1.1 400 ")
        writer.close()
        assert await api.wait_for_exit() == 0


async def test_an_address_that_is_taken_ends_the_process_with_the_reason(
    settings: Settings,
) -> None:
    port = free_port()
    async with run_process(settings, "run_api.py", "--port", str(port)) as first:
        await first.wait_for_line("running on")
        for arguments in ("run_api.py", "--port", str(port)), (*TWO_PROCESSES, str(port)):
            async with run_process(settings, *arguments) as second:
                assert await second.wait_for_exit() > 0
                assert "address already in use" in second.output.lower()


@pytest.mark.parametrize("processes", ["1", "2"])
async def test_ctrl_c_ends_the_api_without_an_error(settings: Settings, processes: str) -> None:
    prompt = settings.model_copy(update={"shutdown_delay": 0.0})
    command = ("run_api.py", "--processes", processes, "--port", str(free_port()))
    async with run_process(prompt, *command) as api:
        for _ in range(int(processes)):
            await api.wait_for_line("startup complete")

        api.signal(SIGINT)

        assert await api.wait_for_exit() == 0
    assert "Traceback" not in api.output


async def test_responses_do_not_name_the_server(settings: Settings) -> None:
    port = free_port()
    async with run_process(settings, "run_api.py", "--port", str(port)) as api:
        await api.wait_for_line("running on")
        async with client_of(port) as client:
            assert "server" not in (await client.get("/health/live")).headers
