"""`users`: create the first superuser, and list, activate, and deactivate users."""

import sys
from collections.abc import Sequence
from getpass import getpass

from pydantic import SecretStr, ValidationError

from app.cli.command import Arguments, Subparsers, add_command, print_error, print_result
from app.cli.scope import open_operator_scope
from app.cli.tables import table
from app.core.resources import Resources
from app.models import User
from app.schemas.user import UserCreate, UserPublic, UsersPublic, UserUpdate
from app.services.admin_service import AdminService
from app.services.scope import Scope
from app.services.user_service import EmailTaken, UserNotFound, UserService

MAX_LISTED = 100_000


class UserArguments(Arguments):
    email: str


class NewUserArguments(UserArguments):
    full_name: str | None


class PasswordsDiffer(ValueError):
    def __init__(self) -> None:
        super().__init__("The two passwords differ.")


def register(commands: Subparsers) -> None:
    users = commands.add_parser("users", help="create, list, activate, and deactivate users")
    group = users.add_subparsers(title="commands", metavar="COMMAND", required=True)
    create = add_command(
        group,
        "create-superuser",
        create_superuser,
        help="create a superuser; the command asks for the password, or reads it from a pipe",
    )
    create.add_argument("email")
    create.add_argument("--full-name")
    add_command(group, "list", list_users, help="list users, newest first")
    for name, command, text in (
        ("activate", activate, "let a user log in again"),
        ("deactivate", deactivate, "log a user out everywhere, and prevent logins"),
        ("make-superuser", make_superuser, "make an existing user a superuser"),
        ("end-sessions", end_sessions, "log a user out everywhere; API keys stay valid"),
        (
            "remove-second-factor",
            remove_second_factor,
            "remove the second factor of a user who has lost it",
        ),
    ):
        add_command(group, name, command, help=text).add_argument("email")


async def create_superuser(resources: Resources, arguments: NewUserArguments) -> int:
    """Create a superuser with a confirmed email address."""
    try:
        data = UserCreate(
            email=arguments.email,
            full_name=arguments.full_name,
            password=SecretStr(_read_password()),
            is_superuser=True,
        )
    except ValidationError as error:
        return print_error("; ".join(f"{e['loc'][0]}: {e['msg']}" for e in error.errors()))
    except PasswordsDiffer as error:
        return print_error(str(error))
    try:
        async with open_operator_scope(resources) as scope:
            user = await AdminService(scope).create_superuser(data)
            await scope.uow.session.refresh(user)
    except EmailTaken as error:
        cure = f"python -m app users make-superuser {arguments.email}"
        return print_error(f"{error}. To make this user a superuser, run: {cure}")
    return _print_users(arguments, [UserPublic.model_validate(user)])


async def list_users(resources: Resources, arguments: Arguments) -> int:
    """Print one line per user."""
    async with open_operator_scope(resources) as scope:
        users = await UserService(scope).list(skip=0, limit=MAX_LISTED)
    return _print_users(arguments, users.data)


async def activate(resources: Resources, arguments: UserArguments) -> int:
    return await _update(resources, arguments, UserUpdate(is_active=True))


async def deactivate(resources: Resources, arguments: UserArguments) -> int:
    return await _update(resources, arguments, UserUpdate(is_active=False))


async def make_superuser(resources: Resources, arguments: UserArguments) -> int:
    return await _update(resources, arguments, UserUpdate(is_superuser=True))


async def end_sessions(resources: Resources, arguments: UserArguments) -> int:
    # No other command needs the libraries for tokens.
    from app.services.user_access_service import UserAccessService  # noqa: PLC0415

    async with open_operator_scope(resources) as scope:
        user = await _find(scope, arguments.email)
        await UserAccessService(scope).end_sessions(user.id)
    return _print_users(arguments, [UserPublic.model_validate(user)])


async def remove_second_factor(resources: Resources, arguments: UserArguments) -> int:
    """Remove the second factor of a user who has lost it, even of the only superuser."""
    async with open_operator_scope(resources) as scope:
        user = await _find(scope, arguments.email)
        await AdminService(scope).remove_second_factor(user.id)
    return _print_users(arguments, [UserPublic.model_validate(user)])


def _read_password() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    password = getpass("Password: ")
    if getpass("Repeat password: ") != password:
        raise PasswordsDiffer
    return password


def _print_users(arguments: Arguments, users: Sequence[UserPublic]) -> int:
    page = UsersPublic(data=list(users), count=len(users))
    rows = [
        [
            user.email,
            "superuser" if user.is_superuser else "user",
            "active" if user.is_active else "inactive",
        ]
        for user in users
    ]
    return print_result(arguments, page, table(("EMAIL", "KIND", "STATE"), rows))


async def _update(resources: Resources, arguments: UserArguments, data: UserUpdate) -> int:
    async with open_operator_scope(resources) as scope:
        user = await _find(scope, arguments.email)
        await AdminService(scope).update(user.id, data)
    return _print_users(arguments, [UserPublic.model_validate(user)])


async def _find(scope: Scope, email: str) -> User:
    user = await UserService(scope).find_by_email(email)
    if user is None:
        raise UserNotFound
    return user
