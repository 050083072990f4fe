"""Start and stop a local server, as PostgreSQL and Valkey both need it."""

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dev.child import Child
from dev.folder import Folder
from dev.processes import free_port, holder_of, is_free
from dev.unprivileged import Identity

START_TIMEOUT = 300.0
"""Seconds. A recovery after a crash takes long, and so does a start on a busy machine."""

PORT_ATTEMPTS = 5


class StartError(RuntimeError):
    """A server did not start. The message names the server and shows the end of its log."""


class PortTakenError(StartError):
    """The port belongs to another process. The message names it if it is visible."""

    def __init__(self, port: int, cure: str) -> None:
        super().__init__(f"Port {port} is taken by {holder_of(port) or 'another process'}. {cure}")


@dataclass(frozen=True)
class Server:
    """How to run a server: its command line for a port, and a check that it answers there."""

    name: str
    command: Callable[[int], Sequence[str | Path]]
    answers: Callable[[int], bool]
    stop_signal: signal.Signals = signal.SIGTERM
    identity: Identity = "self"


@contextmanager
def running(server: Server, folder: Folder, lock: int, port: int | None) -> Iterator[int]:
    """Run the server on 127.0.0.1 and yield its port. Raise StartError.

    By default it gets its last port, if that is free, so that clients find it again.
    """
    for candidate in _candidates(folder, port):
        with folder.open_log() as log:
            child = Child(
                server.command(candidate),
                output=log,
                stop_signal=server.stop_signal,
                identity=server.identity,
                keep=[lock],
            )
        with child:
            if _became_ready(child, server, candidate):
                folder.remember_port(candidate)
                yield candidate
                return
            lost_the_port = child.exit_code is not None and not is_free(candidate)
            if not lost_the_port:
                break
    raise StartError(f"{server.name} did not start. {folder.end_of_log()}")


def _candidates(folder: Folder, wanted: int | None) -> Iterator[int]:
    if wanted is not None:
        if not is_free(wanted):
            raise PortTakenError(wanted, "Choose another port.")
        yield wanted
        return
    last = folder.last_port()
    if last is not None and is_free(last):
        yield last
    for _ in range(PORT_ATTEMPTS):
        yield free_port()


def _became_ready(child: Child, server: Server, port: int) -> bool:
    deadline = time.monotonic() + START_TIMEOUT
    while child.exit_code is None and time.monotonic() < deadline:
        if server.answers(port):
            return True
        time.sleep(0.01)
    return False
