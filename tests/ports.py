"""Addresses where nobody answers, or somebody who never says a word."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

CLOSED_PORT = 1
"""tcpmux: no service listens there, and no test can be given it."""


@contextmanager
def silent_server() -> Iterator[int]:
    """Accept connections on a port and never say a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        yield listener.getsockname()[1]
