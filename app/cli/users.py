"""`python -m app users …`: the first superuser, and who may log in."""

import argparse
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from getpass import getpass

from pydantic import SecretStr

from app.core.config import load_settings
from app.core.logging import configure_logging
from app.core.resources import open_resources
from app.models import User
from app.schemas.fields import Page
from app.schemas.user import UserCreate, UserPublic, UserUpdate
from app.services.admin_service import AdminService
from app.services.audit import Caller
from app.services.user_service import UserNotFound

CALLER = Caller("command line")
MAX_LISTED = 100_000


def register(groups: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the group and its commands."""
    commands = groups.add_parser("users", help="who may use the service").add_subparsers(
        required=True, metavar="COMMAND"
    )
    create = commands.add_parser(
        "create-superuser", help="create one; the password is asked for, or read from a pipe"
    )
    create.add_argument("email")
    create.add_argument("--full-name")
    create.set_defaults(run=create_superuser)

    commands.add_parser("list", help="list users, newest first").set_defaults(run=list_users)

    activate = commands.add_parser("activate", help="let a user log in again")
    activate.add_argument("email")
    activate.set_defaults(run=set_active, active=True)

    deactivate = commands.add_parser("deactivate", help="log a user out, and keep them out")
    deactivate.add_argument("email")
    deactivate.set_defaults(run=set_active, active=False)

    lost = commands.add_parser(
        "remove-second-factor", help="let a user who has lost it log in with the password alone"
    )
    lost.add_argument("email")
    lost.set_defaults(run=remove_second_factor)

    for command in commands.choices.values():
        command.add_argument("--json", action="store_true", help="print JSON, for programs")


async def create_superuser(arguments: argparse.Namespace) -> int:
    """Create a superuser, whose address counts as confirmed."""
    wish = UserCreate(
        email=arguments.email,
        full_name=arguments.full_name,
        password=SecretStr(_read_password()),
        is_superuser=True,
    )
    async with _administration() as admin:
        user = await admin.create_superuser(wish)
        await admin.uow.session.refresh(user)
    _print(arguments, [user])
    return 0


async def list_users(arguments: argparse.Namespace) -> int:
    """Print a line for each user."""
    async with _administration() as admin:
        users = await admin.users.list(skip=0, limit=MAX_LISTED)
    _print(arguments, users.data)
    return 0


async def set_active(arguments: argparse.Namespace) -> int:
    """Let a user log in, or log them out everywhere and keep them out."""
    async with _administration() as admin:
        user = await _find(admin, arguments)
        await admin.update(user.id, UserUpdate(is_active=arguments.active))
    _print(arguments, [user])
    return 0


async def remove_second_factor(arguments: argparse.Namespace) -> int:
    """Take the second factor away from a user who has lost it: maybe the only superuser."""
    async with _administration() as admin:
        user = await _find(admin, arguments)
        await admin.remove_second_factor(user.id)
    _print(arguments, [user])
    return 0


async def _find(admin: AdminService, arguments: argparse.Namespace) -> User:
    user = await admin.users.find_by_email(arguments.email)
    if user is None:
        raise UserNotFound
    return user


@asynccontextmanager
async def _administration() -> AsyncIterator[AdminService]:
    settings = load_settings()
    configure_logging(settings)
    async with open_resources(settings) as resources, resources.unit_of_work() as uow:
        yield AdminService(uow, settings, CALLER, actor_id=None)


def _read_password() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    password = getpass("Password: ")
    if getpass("Again: ") != password:
        raise OSError("The two passwords differ")
    return password


def _print(arguments: argparse.Namespace, users: Sequence[User]) -> None:
    if arguments.json:
        data = [UserPublic.model_validate(user) for user in users]
        sys.stdout.write(Page(data=data, count=len(data)).model_dump_json() + "\n")
        return
    for user in users:
        kind = "superuser" if user.is_superuser else "user"
        state = "active" if user.is_active else "inactive"
        sys.stdout.write(f"{user.email}\t{kind}\t{state}\n")
