"""Addresses without a server, or with a server that never answers."""

import asyncio
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager

from dev.processes import is_free

CLOSED_PORT = 1
"""tcpmux: no service listens there, and no test can be given it."""


@contextmanager
def silent_server() -> Iterator[int]:
    """Accept connections on a port and never answer."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        yield listener.getsockname()[1]


@contextmanager
def resetting_server(turns: int) -> Iterator[int]:
    """Reset each connection when the event loop has turned a number of times.

    The client must run in the same loop, so that its progress until then is always the same.
    """
    loop = asyncio.get_running_loop()

    def accept() -> None:
        connection, _ = listener.accept()
        # With a linger time of 0, closing sends a reset.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        close_after(turns, connection)

    def close_after(turns: int, connection: socket.socket) -> None:
        if turns:
            loop.call_soon(close_after, turns - 1, connection)
        else:
            connection.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        loop.add_reader(listener, accept)
        yield listener.getsockname()[1]
        loop.remove_reader(listener)


def free_port_pair() -> int:
    """Find two free ports, the second after the first.

    They are below the ports of outgoing connections, and differ between test processes.
    """
    start = 10_000 + os.getpid() * 20 % 20_000
    return next(port for port in range(start, 32_000, 2) if is_free(port) and is_free(port + 1))
