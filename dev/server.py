"""Starting and stopping a local server: the part that PostgreSQL and Valkey have in common."""

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
"""Seconds. Recovery after a crash takes long, and so does any start on a busy machine."""

PORT_ATTEMPTS = 5


class StartError(RuntimeError):
    """A server did not start; the message says which and ends with what it logged last."""


class PortTakenError(StartError):
    """The wanted port belongs to another process, which is named when it is visible."""

    def __init__(self, port: int, cure: str) -> None:
        super().__init__(f"Port {port} is taken by {holder_of(port) or 'another process'}. {cure}")


@dataclass(frozen=True)
class Server:
    """How to run a server: its command line for a port, and a test that it answers there."""

    name: str
    command: Callable[[int], Sequence[str | Path]]
    answers: Callable[[int], bool]
    stop_signal: signal.Signals = signal.SIGTERM
    identity: Identity = "self"


@contextmanager
def running(server: Server, folder: Folder, lock: int, port: int | None) -> Iterator[int]:
    """Run the server on 127.0.0.1 and yield its port. Raises StartError.

    Without a port it gets the one it had last, if that is free, so that clients find it again.
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
            somebody_was_faster = child.exit_code is not None and not is_free(candidate)
            if not somebody_was_faster:
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
