"""What commands have in common: the resources that they use, how they answer, how they fail."""

import argparse
import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from typing import TypeAlias, TypeVar

import pydantic_core
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from app.core.config import load_settings
from app.core.exceptions import AppError, Unavailable
from app.core.logging import configure_logging
from app.core.resources import Resources, open_resources

DONE, FAILED = 0, 1

MISSING = {"42P01", "42703"}
"""What PostgreSQL says of a table or a column that does not exist."""

Subparsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001  it has no other name


class Arguments(argparse.Namespace):
    """What every command line says; a command adds what it wants to know."""

    json: bool


Said = TypeVar("Said", bound=Arguments)
Command = Callable[[Resources, Said], Awaitable[int]]


def add_command(
    commands: Subparsers,
    name: str,
    command: Command[Said],
    *,
    help: str,  # noqa: A002  argparse's word
) -> argparse.ArgumentParser:
    """Offer a command that uses the resources of the service."""
    parser = commands.add_parser(name, help=help, description=help)
    parser.add_argument(
        "--json",
        action="store_true",
        default=argparse.SUPPRESS,
        help="answer in JSON, for programs",
    )
    parser.set_defaults(run=_with_resources(command))
    return parser


def answer(arguments: Arguments, value: object, text: str) -> int:
    """Print a value for programs or a text for people, whichever is wanted."""
    json = pydantic_core.to_json(value, indent=2).decode() if arguments.json else None
    sys.stdout.write(f"{json or text}\n")
    return DONE


def complain(text: str) -> int:
    """Say on stderr what cannot be done."""
    sys.stderr.write(f"{text}\n")
    return FAILED


def explain(error: AppError | SQLAlchemyError) -> str:
    """Say in one line what happened, to what, and what to do."""
    match error:
        case Unavailable(cause=str(cause)):
            return cause
        case DBAPIError(orig=BaseException() as reason):
            text = str(reason).rpartition(": ")[2].splitlines()[0]
            missing = getattr(reason, "sqlstate", None) in MISSING
            cure = "Apply the migrations: alembic upgrade head" if missing else "Try again"
            return f"PostgreSQL refuses: {text}. {cure}"
        case _:
            return str(error)


def _with_resources(command: Command[Said]) -> Callable[[Said], int]:
    def run(arguments: Said) -> int:
        settings = load_settings()
        configure_logging(settings)

        async def work() -> int:
            async with open_resources(settings) as resources:
                return await command(resources, arguments)

        try:
            code = asyncio.run(work())
            sys.stdout.flush()
        except (AppError, SQLAlchemyError) as error:
            return complain(explain(error))
        except BrokenPipeError:
            # Whoever read has seen enough (`… | head`); the interpreter must not flush once more.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return FAILED
        return code

    return run
