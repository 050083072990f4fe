"""Requests to other services."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx2


@contextmanager
def sending_requests() -> Iterator[None]:
    """Raise httpx2.ConnectError if a server closes a new connection at once.

    anyio asks for the address of the peer as soon as the connection is open. If it is closed by
    then, uvloop has no socket for it, and the AttributeError would leave httpx2.
    """
    try:
        yield
    except AttributeError as error:
        if error.name != "getpeername":
            raise
        raise httpx2.ConnectError("the server closed the connection at once") from error
