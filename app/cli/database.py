"""`database`: create the roles for migrations and for the service."""

from sqlalchemy.exc import DBAPIError

from app.cli.command import Arguments, Subparsers, add_command, print_error, print_result
from app.core.postgres.failures import sqlstate_of
from app.core.postgres.provisioning import create_roles
from app.core.resources import Resources

INSUFFICIENT_PRIVILEGE = "42501"


def register(commands: Subparsers) -> None:
    database = commands.add_parser("database", help="prepare the database")
    group = database.add_subparsers(title="commands", metavar="COMMAND", required=True)
    add_command(
        group,
        "roles",
        set_up_roles,
        help="create the owner role, which migrates, and the service role, which uses the tables",
    )


async def set_up_roles(resources: Resources, arguments: Arguments) -> int:
    """Create missing roles and correct their privileges. Run it before every migration.

    It creates roles with DATABASE_ADMIN_URL. Without that, it only grants privileges with
    DATABASE_OWNER_URL.
    """
    try:
        owner, service = await create_roles(resources.settings)
    except DBAPIError as error:
        if sqlstate_of(error.orig) != INSUFFICIENT_PRIVILEGE:
            raise
        reason = str(error.orig).rpartition(": ")[2]
        return print_error(
            f"PostgreSQL refuses ({reason}). Set DATABASE_ADMIN_URL to a role that may create "
            "roles and databases."
        )
    roles = {"database": owner.database, "owner": owner.role, "service": service.role}
    return print_result(
        arguments,
        roles,
        f"{owner.role} owns the database {owner.database}. {service.role} reads and writes rows.",
    )
