"""Control of the coverage measurement, which slows processes down."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import coverage


def unmeasured_environment() -> dict[str, str]:
    """Return the environment variables of a process that coverage leaves out."""
    return {name: value for name, value in os.environ.items() if name not in _variables()}


@contextmanager
def unmeasured_children() -> Iterator[None]:
    """Let coverage leave out the processes that this block starts."""
    removed = {name: os.environ.pop(name) for name in _variables()}
    try:
        yield
    finally:
        os.environ.update(removed)


def stop_measuring() -> None:
    """Leave out the rest of this process."""
    if measurement := coverage.Coverage.current():
        measurement.stop()


def _variables() -> list[str]:
    return [name for name in os.environ if name.startswith("COVERAGE_")]
