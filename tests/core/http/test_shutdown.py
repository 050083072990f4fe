import asyncio
import signal
from collections.abc import Iterator

import pytest

from app.core.http.shutdown import announced_shutdown


@pytest.fixture
def server() -> Iterator[list[int]]:
    """The SIGTERM handler of a server, which records the signals that reach it."""
    received: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: received.append(number))
    yield received
    signal.signal(signal.SIGTERM, before)


async def test_the_server_gets_sigterm_after_the_delay(server: list[int]) -> None:
    with announced_shutdown(delay=0.05) as shutdown:
        signal.raise_signal(signal.SIGTERM)
        assert (shutdown.begun, server) == (True, [])
        while not server:
            await asyncio.sleep(0.01)

    assert server == [signal.SIGTERM]


@pytest.mark.parametrize("delay", [0, 60])
async def test_open_streams_learn_of_the_shutdown_at_once(server: list[int], delay: float) -> None:
    told = asyncio.Event()
    with announced_shutdown(delay=delay) as shutdown:
        shutdown.on_begin(told.set)
        signal.raise_signal(signal.SIGTERM)
        await told.wait()

    assert server == [signal.SIGTERM] * (delay == 0)


async def test_a_second_signal_ends_the_delay(server: list[int]) -> None:
    with announced_shutdown(delay=60):
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)

        assert server == [signal.SIGTERM]


async def test_without_a_delay_the_server_gets_sigterm_at_once(server: list[int]) -> None:
    with announced_shutdown(delay=0):
        signal.raise_signal(signal.SIGTERM)

        assert server == [signal.SIGTERM]


async def test_the_handler_of_the_server_is_restored(server: list[int]) -> None:
    with announced_shutdown(delay=60):
        pass
    signal.raise_signal(signal.SIGTERM)

    assert server == [signal.SIGTERM]


@pytest.mark.usefixtures("server")
async def test_without_a_server_no_handler_is_installed() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with announced_shutdown(delay=60) as shutdown:
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        assert not shutdown.begun
