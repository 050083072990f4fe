"""`database`: the roles that migrate and serve."""

from sqlalchemy.exc import DBAPIError

from app.cli.command import Arguments, Backends, Subparsers, add_command, answer, complain
from app.core.postgres.failures import sqlstate_of
from app.core.postgres.provisioning import create_roles

INSUFFICIENT_PRIVILEGE = "42501"


def register(commands: Subparsers) -> None:
    """Add the group and its commands."""
    database = commands.add_parser("database", help="prepare the database")
    group = database.add_subparsers(title="commands", metavar="COMMAND", required=True)
    add_command(
        group,
        "roles",
        set_up_roles,
        help="create the owner, who migrates, and the service, which reads and writes rows",
    )


async def set_up_roles(backends: Backends, arguments: Arguments) -> int:
    """Create what is missing and correct what differs, so that it can run before every migration.

    DATABASE_ADMIN_URL creates. Without it, DATABASE_OWNER_URL grants.
    """
    try:
        owner, service = await create_roles(backends.settings)
    except DBAPIError as error:
        if sqlstate_of(error.orig) != INSUFFICIENT_PRIVILEGE:
            raise
        reason = str(error.orig).rpartition(": ")[2]
        return complain(
            f"PostgreSQL refuses ({reason}). Set DATABASE_ADMIN_URL to a role that may create "
            "roles and databases"
        )
    roles = {"database": owner.database, "owner": owner.role, "service": service.role}
    return answer(
        arguments,
        roles,
        f"{owner.role} owns the database {owner.database}. {service.role} reads and writes rows.",
    )
