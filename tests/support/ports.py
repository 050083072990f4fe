"""Addresses without a server, or with a server that never sends a byte."""

import os
import socket
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


def free_port_pair() -> int:
    """Find two free ports, the second after the first.

    They are below the ports of outgoing connections, and differ between test processes.
    """
    start = 10_000 + os.getpid() * 20 % 20_000
    return next(port for port in range(start, 32_000, 2) if is_free(port) and is_free(port + 1))
