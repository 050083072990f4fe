"""Common parts of all commands: the servers that they use, their output, and their errors."""

import argparse
import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

import pydantic_core
from pydantic import TypeAdapter, ValidationError
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from app.core.config import Settings, load_settings
from app.core.database import Database, Sessions, open_database
from app.core.exceptions import AppError, Unavailable
from app.core.logging import configure_logging
from app.core.postgres.reader import Reader
from app.core.queue import QueuePools
from app.core.redis import open_pools
from app.schemas.common import Reason

DONE, FAILED = 0, 1

MISSING = {"42P01", "42703"}
"""The SQLSTATE codes for a table or a column that does not exist."""

REASON: TypeAdapter[str] = TypeAdapter(Reason)

Subparsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001  it has no other name


class Arguments(argparse.Namespace):
    """The arguments of every command. A command adds its own."""

    json: bool


@dataclass(frozen=True, slots=True)
class Backends:
    """The settings and the servers that commands use."""

    settings: Settings
    database: Database
    queues: QueuePools

    @property
    def sessions(self) -> Sessions:
        return self.database.sessions

    @property
    def reader(self) -> Reader:
        return self.database.reader


CommandArguments = TypeVar("CommandArguments", bound=Arguments)
Command = Callable[[Backends, CommandArguments], Awaitable[int]]


def add_command(
    commands: Subparsers,
    name: str,
    command: Command[CommandArguments],
    *,
    help: str,  # noqa: A002  argparse's name
) -> argparse.ArgumentParser:
    """Register a command."""
    parser = commands.add_parser(name, help=help, description=help)
    parser.add_argument(
        "--json",
        action="store_true",
        default=argparse.SUPPRESS,
        help="print JSON, for programs",
    )
    parser.set_defaults(run=_with_backends(command))
    return parser


class ActionArguments(Arguments):
    """The arguments of a command that changes something."""

    reason: str | None


def add_action(
    commands: Subparsers,
    name: str,
    command: Command[CommandArguments],
    *,
    help: str,  # noqa: A002  argparse's name
) -> argparse.ArgumentParser:
    """Register a command that changes something, and takes a reason for the audit trail."""
    parser = add_command(commands, name, command, help=help)
    parser.add_argument("--reason", type=_reason, help="the reason, for the audit trail")
    return parser


def print_result(arguments: Arguments, value: object, text: str) -> int:
    """Print a text for people, or the value as JSON with `--json`."""
    json = pydantic_core.to_json(value, indent=2).decode() if arguments.json else None
    sys.stdout.write(f"{json or text}\n")
    return DONE


def print_error(text: str) -> int:
    """Print an error on stderr."""
    sys.stderr.write(f"{text}\n")
    return FAILED


def describe_error(error: AppError | SQLAlchemyError) -> str:
    """Return one line with what happened and the cure."""
    match error:
        case Unavailable(cause=str(cause)):
            return cause
        case DBAPIError(orig=BaseException() as reason):
            text = str(reason).rpartition(": ")[2].splitlines()[0]
            missing = getattr(reason, "sqlstate", None) in MISSING
            cure = "Apply the migrations: alembic upgrade head" if missing else "Try again"
            return f"PostgreSQL reports: {text}. {cure}"
        case _:
            return str(error)


@asynccontextmanager
async def open_backends(settings: Settings) -> AsyncIterator[Backends]:
    """Open the queues and the database. They connect at their first use."""
    async with open_pools(settings) as queues, open_database(settings) as database:
        yield Backends(settings, database, queues)


def _reason(text: str) -> str:
    try:
        return REASON.validate_python(text)
    except ValidationError:
        raise argparse.ArgumentTypeError("a reason is one line of 1 to 200 characters") from None


def _with_backends(command: Command[CommandArguments]) -> Callable[[CommandArguments], int]:
    def run(arguments: CommandArguments) -> int:
        settings = load_settings()
        configure_logging(settings)

        async def work() -> int:
            async with open_backends(settings) as backends:
                return await command(backends, arguments)

        try:
            code = asyncio.run(work())
            sys.stdout.flush()
        except (AppError, SQLAlchemyError) as error:
            return print_error(describe_error(error))
        except BrokenPipeError:
            # The reader has closed the pipe, as in `… | head`. Python must not flush stdout again.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return FAILED
        return code

    return run
