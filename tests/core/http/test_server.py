"""`python run_api.py`, which serves the API."""

import os
import re
from signal import SIGKILL, SIGTERM

import httpx2
import pytest

from app.core.config import Settings
from dev.processes import free_port
from tests.support.processes import run_process
from tests.support.uvicorn_server import client_of

TWO_PROCESSES = ("run_api.py", "--processes", "2", "--port")


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


async def test_responses_do_not_name_the_server(settings: Settings) -> None:
    port = free_port()
    async with run_process(settings, "run_api.py", "--port", str(port)) as api:
        await api.wait_for_line("running on")
        async with client_of(port) as client:
            assert "server" not in (await client.get("/health/live")).headers
