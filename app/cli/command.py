"""Common parts of all commands: their registration, output, and errors."""

import argparse
import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from typing import TypeAlias, TypeVar

import pydantic_core
from pydantic import TypeAdapter, ValidationError
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from app.core.config import load_settings
from app.core.exceptions import AppError, Unavailable
from app.core.logging import configure_logging
from app.core.resources import Resources, open_unmonitored_resources
from app.schemas.common import Reason

DONE, FAILED = 0, 1

MISSING = {"42P01", "42703"}
"""The SQLSTATE codes for a table or a column that does not exist."""

REASON: TypeAdapter[str] = TypeAdapter(Reason)

Subparsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001  it has no other name


class Arguments(argparse.Namespace):
    """The arguments of every command. A command adds its own."""

    json: bool


CommandArguments = TypeVar("CommandArguments", bound=Arguments)
Command = Callable[[Resources, CommandArguments], Awaitable[int]]


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
    parser.set_defaults(run=_with_resources(command))
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


def _reason(text: str) -> str:
    try:
        return REASON.validate_python(text)
    except ValidationError:
        raise argparse.ArgumentTypeError("a reason is one line of 1 to 200 characters") from None


def _with_resources(command: Command[CommandArguments]) -> Callable[[CommandArguments], int]:
    def run(arguments: CommandArguments) -> int:
        settings = load_settings()
        configure_logging(settings)

        async def work() -> int:
            async with open_unmonitored_resources(settings) as resources:
                return await command(resources, arguments)

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
