"""`python -m app …`: one module a group of commands.

A module has `register(groups)`, which gives each of its commands a coroutine function `run`: it
takes the arguments and returns the exit code.
"""

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence

from pydantic import ValidationError
from redis.exceptions import RedisError
from sqlalchemy.exc import DBAPIError

from app.cli import users
from app.core.exceptions import AppError, DatabaseUnavailable

GROUPS = (users,)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 1 it could not be, 2 misused."""
    parser = argparse.ArgumentParser(prog="python -m app", description="Operate the service.")
    groups = parser.add_subparsers(required=True, metavar="GROUP")
    for group in GROUPS:
        group.register(groups)
    given = parser.parse_args(arguments)
    return asyncio.run(_run(given.run, given))


async def _run(
    command: Callable[[argparse.Namespace], Awaitable[int]], given: argparse.Namespace
) -> int:
    try:
        return await command(given)
    except DatabaseUnavailable as error:
        reason = error.cause
    except ValidationError as error:
        reason = "; ".join(f"{e['loc'][0]}: {e['msg']}" for e in error.errors())
    except (AppError, DBAPIError, RedisError, OSError) as error:
        reason = str(error)
    sys.stderr.write(f"{reason}\n")
    return 1
