"""A process that has imported the service and the tests, and forks, so that its copies start fast.

A new Python process needs a second of processor time to import the service, and another two to
import the tests.
"""

import gc
import importlib
import json
import multiprocessing
import os
import runpy
import shlex
import signal
import socket
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property, partial
from multiprocessing.context import ForkContext, ForkProcess, SpawnContext
from pathlib import Path
from selectors import EVENT_READ, BaseSelector, DefaultSelector

from tests.support import fork_client
from tests.support.coverage import stop_measuring, unmeasured_children
from tests.support.servers import ROOT

FOLDER = "FORK_SERVERS_OF_TESTS"
"""The environment variable with the folder of the servers' sockets."""

SERVICE, PYTEST = "service", "pytest"
"""The names of the sockets."""

IMPORTED = [
    "alembic.command",
    "app.cli",
    "app.core.worker",
    "tests.support.warm_application",
    "uvicorn.main",
]

# On macOS, a process that has loaded system libraries must not fork.
CAN_FORK = sys.platform == "linux"

_forking = multiprocessing.get_context("fork")
_spawning = multiprocessing.get_context("spawn")


class Fork:
    """A copy of the server that runs Python code."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.pid = int(connection.recv(fork_client.MESSAGE_SIZE))

    def wait(self) -> int:
        """Wait for the end and return the exit code, which is negative after a signal."""
        return self._exit_code

    @cached_property
    def _exit_code(self) -> int:
        return int(self._connection.recv(fork_client.MESSAGE_SIZE))

    def kill(self) -> None:
        """Kill the copy if it still runs, and wait for its end."""
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_WR)
        self.wait()
        self._connection.close()


def can_fork(arguments: Sequence[str], cwd: Path) -> bool:
    """Return whether `python ARGUMENTS` in a folder is a module or a script of this project."""
    is_program = arguments[0] == "-m" or arguments[0].endswith(".py")
    return CAN_FORK and is_program and cwd == ROOT


def fork(arguments: Sequence[str], *, variables: Mapping[str, str], output: int) -> Fork:
    """Run `python ARGUMENTS` with environment variables. It writes to the descriptor `output`."""
    with Path(os.devnull).open("rb") as nothing:
        descriptors = [nothing.fileno(), output, output]
        return Fork(fork_client.ask(_socket_of(SERVICE), arguments, variables, descriptors))


@contextmanager
def fork_server_of_service(folder: Path) -> Iterator[None]:
    """Run a server that has imported the service during the block, for `fork`.

    It is a new process, because tests and their fixtures change global state on import.
    """
    os.environ[FOLDER] = str(folder)
    with unmeasured_children(), _running(SERVICE, _spawning, IMPORTED):
        yield


@contextmanager
def fork_server_of_tests(modules: Sequence[str]) -> Iterator[str]:
    """Run a server that has imported modules of tests during the block.

    Yield a command that runs code like `python -c CODE`, in a copy of the server. The server itself
    is a copy of this process, which has already imported pytest and most of the service.
    """
    with _running(PYTEST, _forking, modules):
        yield shlex.join([sys.executable, "-I", "-S", fork_client.__file__, _socket_of(PYTEST)])


def _socket_of(server: str) -> str:
    return str(Path(os.environ[FOLDER], server))


@contextmanager
def _running(
    name: str, context: SpawnContext | ForkContext, modules: Sequence[str]
) -> Iterator[None]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(_socket_of(name))
        listener.listen()
        server = context.Process(target=_serve, args=(listener, modules))
        server.start()
    try:
        yield
    finally:
        server.terminate()
        server.join()


def _serve(listener: socket.socket, modules: Iterable[str]) -> None:
    """Import the modules, and fork for each client until the parent ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is meant for the copies
    stop_measuring()
    for module in modules:
        with suppress(BaseException):  # such as pytest's Skipped; copies report the errors
            importlib.import_module(module)
    gc.freeze()
    parent = multiprocessing.parent_process()
    assert parent is not None
    with DefaultSelector() as selector:
        selector.register(parent.sentinel, EVENT_READ, sys.exit)
        selector.register(listener, EVENT_READ, partial(_accept, listener, selector))
        while True:
            for key, _ in selector.select():
                key.data()


def _accept(listener: socket.socket, selector: BaseSelector) -> None:
    """Run what the next client asks for, and tell it the number of the process."""
    client, _ = listener.accept()
    message, descriptors, *_ = socket.recv_fds(client, fork_client.MESSAGE_SIZE, 3)
    if not message:  # the client has ended
        client.close()
        return
    arguments, variables = json.loads(message)
    copy = _forking.Process(target=_become, args=(arguments, variables, descriptors), daemon=True)
    copy.start()
    for descriptor in descriptors:
        os.close(descriptor)
    with suppress(BrokenPipeError):  # the client has ended, so the copy is killed next
        client.send(str(copy.pid).encode())
    selector.register(client, EVENT_READ, copy.kill)  # the client asks for this, or has ended
    selector.register(copy.sentinel, EVENT_READ, partial(_report_end, copy, client, selector))


def _report_end(copy: ForkProcess, client: socket.socket, selector: BaseSelector) -> None:
    """Send a client the exit code."""
    selector.unregister(copy.sentinel)
    selector.unregister(client)
    copy.join()
    with suppress(BrokenPipeError):  # the client has ended
        client.send(str(copy.exitcode).encode())
    client.close()


def _become(
    arguments: Sequence[str], variables: Mapping[str, str], descriptors: Sequence[int]
) -> None:
    """Turn the copy into `python ARGUMENTS`."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    multiprocessing.current_process().daemon = False  # a program may have processes of its own
    os.environ.clear()
    os.environ.update(variables)
    os.chdir(ROOT)
    _redirect(descriptors)
    match arguments:
        case ["-c", code]:
            sys.argv = ["-c"]
            exec(code, {"__name__": "__main__"})  # noqa: S102  it comes from pytest-xdist
        case ["-m", module, *_]:
            sys.argv = [*arguments[1:]]
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        case [script, *_]:
            sys.argv = [*arguments]
            runpy.run_path(script, run_name="__main__")


def _redirect(descriptors: Sequence[int]) -> None:
    """Make these the descriptors of the standard streams."""
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)
    sys.stdin = os.fdopen(0, closefd=False)
    sys.stdout = os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, errors="backslashreplace", closefd=False)
