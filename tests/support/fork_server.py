"""A process that has imported the service and forks, so that its copies start quickly.

A new Python process needs a second of processor time for its imports.
"""

import multiprocessing
import os
import runpy
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext, ForkServerProcess
from multiprocessing.forkserver import ensure_running
from pathlib import Path

from tests.support.coverage import unmeasured_children
from tests.support.servers import ROOT

IMPORTED = [
    "alembic.command",
    "app.cli",
    "app.core.worker",
    "tests.support.warm_application",
    "uvicorn.main",
]


def can_fork(arguments: Sequence[str], cwd: Path) -> bool:
    """Return whether `python ARGUMENTS` in a folder is a module or a script of this project.

    On macOS, a process that has loaded system libraries must not fork.
    """
    is_program = arguments[0] == "-m" or arguments[0].endswith(".py")
    return sys.platform == "linux" and is_program and cwd == ROOT


def fork(
    arguments: Sequence[str], *, variables: Mapping[str, str], output: int
) -> ForkServerProcess:
    """Run `python ARGUMENTS` with environment variables. It writes to the descriptor `output`."""
    process = _server().Process(
        target=_run,
        args=(list(arguments), dict(variables), Connection(output, readable=False)),
    )
    process.start()
    return process


@cache
def _server() -> ForkServerContext:
    """Start the server, which imports the packages."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(IMPORTED)
    with unmeasured_children():
        ensure_running()
    return context


def _run(arguments: list[str], variables: dict[str, str], output: Connection) -> None:
    """Turn the copy into `python ARGUMENTS`."""
    os.environ.clear()
    os.environ.update(variables)
    os.chdir(ROOT)
    _write_to(output)
    sys.orig_argv = [sys.executable, *arguments]
    if arguments[0] == "-m":
        sys.argv = arguments[1:]
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = arguments
        runpy.run_path(arguments[0], run_name="__main__")


def _write_to(output: Connection) -> None:
    for descriptor in (1, 2):
        os.dup2(output.fileno(), descriptor)
    output.close()
    sys.stdout = os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, errors="backslashreplace", closefd=False)
