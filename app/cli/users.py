"""`python -m app users …`: the first superuser, and who may log in."""

import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from getpass import getpass

from pydantic import SecretStr, ValidationError

from app.cli.command import Arguments, Subparsers, add_command, answer, complain
from app.cli.tables import table
from app.core.resources import Resources
from app.models import User
from app.schemas.fields import Page
from app.schemas.user import UserCreate, UserPublic, UserUpdate
from app.services.admin_service import AdminService
from app.services.audit import Caller
from app.services.user_service import UserNotFound

CALLER = Caller("command line")
MAX_LISTED = 100_000


class AboutUser(Arguments):
    email: str


class NewUser(AboutUser):
    full_name: str | None


class PasswordsDiffer(ValueError):
    def __init__(self) -> None:
        super().__init__("The two passwords differ.")


def register(commands: Subparsers) -> None:
    """Add the group and its commands."""
    users = commands.add_parser("users", help="who may use the service")
    group = users.add_subparsers(title="commands", metavar="COMMAND", required=True)
    create = add_command(
        group,
        "create-superuser",
        create_superuser,
        help="create one; the password is asked for, or read from a pipe",
    )
    create.add_argument("email")
    create.add_argument("--full-name")
    add_command(group, "list", list_users, help="list users, newest first")
    for name, command, text in (
        ("activate", activate, "let a user log in again"),
        ("deactivate", deactivate, "log a user out, and keep them out"),
        (
            "remove-second-factor",
            remove_second_factor,
            "let a user who has lost it log in with the password alone",
        ),
    ):
        add_command(group, name, command, help=text).add_argument("email")


async def create_superuser(resources: Resources, arguments: NewUser) -> int:
    """Create a superuser, whose address counts as confirmed."""
    try:
        wish = UserCreate(
            email=arguments.email,
            full_name=arguments.full_name,
            password=SecretStr(_read_password()),
            is_superuser=True,
        )
    except ValidationError as error:
        return complain("; ".join(f"{e['loc'][0]}: {e['msg']}" for e in error.errors()))
    except PasswordsDiffer as error:
        return complain(str(error))
    async with _administration(resources) as admin:
        user = await admin.create_superuser(wish)
        await admin.uow.session.refresh(user)
    return _answer(arguments, [user])


async def list_users(resources: Resources, arguments: Arguments) -> int:
    """Print a line for each user."""
    async with _administration(resources) as admin:
        users = await admin.users.list(skip=0, limit=MAX_LISTED)
    return _answer(arguments, users.data)


async def activate(resources: Resources, arguments: AboutUser) -> int:
    return await _set_active(resources, arguments, active=True)


async def deactivate(resources: Resources, arguments: AboutUser) -> int:
    return await _set_active(resources, arguments, active=False)


async def _set_active(resources: Resources, arguments: AboutUser, *, active: bool) -> int:
    async with _administration(resources) as admin:
        user = await _find(admin, arguments.email)
        await admin.update(user.id, UserUpdate(is_active=active))
    return _answer(arguments, [user])


async def remove_second_factor(resources: Resources, arguments: AboutUser) -> int:
    """Take the second factor away from a user who has lost it: maybe the only superuser."""
    async with _administration(resources) as admin:
        user = await _find(admin, arguments.email)
        await admin.remove_second_factor(user.id)
    return _answer(arguments, [user])


async def _find(admin: AdminService, email: str) -> User:
    user = await admin.users.find_by_email(email)
    if user is None:
        raise UserNotFound
    return user


@asynccontextmanager
async def _administration(resources: Resources) -> AsyncIterator[AdminService]:
    async with resources.unit_of_work() as uow:
        yield AdminService(uow, resources.settings, CALLER, actor_id=None)


def _read_password() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    password = getpass("Password: ")
    if getpass("Again: ") != password:
        raise PasswordsDiffer
    return password


def _answer(arguments: Arguments, users: Sequence[User]) -> int:
    page: Page[UserPublic] = Page(
        data=[UserPublic.model_validate(user) for user in users], count=len(users)
    )
    rows = [
        [
            user.email,
            "superuser" if user.is_superuser else "user",
            "active" if user.is_active else "inactive",
        ]
        for user in users
    ]
    return answer(arguments, page, table(("EMAIL", "KIND", "STATE"), rows))
