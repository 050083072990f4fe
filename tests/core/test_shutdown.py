import asyncio
import signal
from collections.abc import Iterator

import pytest

from app.core.shutdown import announced_shutdown


@pytest.fixture
def server() -> Iterator[list[int]]:
    """A server's own handler of SIGTERM, noting the signals that reach it."""
    received: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: received.append(number))
    yield received
    signal.signal(signal.SIGTERM, before)


async def test_the_server_hears_of_sigterm_a_while_later(server: list[int]) -> None:
    with announced_shutdown(delay=0.05) as shutdown:
        signal.raise_signal(signal.SIGTERM)
        assert (shutdown.begun, server) == (True, [])
        while not server:
            await asyncio.sleep(0.01)

    assert server == [signal.SIGTERM]


async def test_a_second_signal_ends_the_wait(server: list[int]) -> None:
    with announced_shutdown(delay=60):
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)

        assert server == [signal.SIGTERM]


async def test_without_a_delay_the_server_hears_at_once(server: list[int]) -> None:
    with announced_shutdown(delay=0):
        signal.raise_signal(signal.SIGTERM)

        assert server == [signal.SIGTERM]


async def test_the_servers_handler_is_put_back(server: list[int]) -> None:
    with announced_shutdown(delay=60):
        pass
    signal.raise_signal(signal.SIGTERM)

    assert server == [signal.SIGTERM]


@pytest.mark.usefixtures("server")
async def test_where_no_server_handles_sigterm_nothing_is_changed() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with announced_shutdown(delay=60) as shutdown:
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        assert not shutdown.begun
