from app.core.resources import Resources
from tests.cli.results import RunCommand
from tests.support.processes import environment
from tests.support.roles import roles_to_create
from tests.support.servers import OWNER, SERVICE, Servers


async def test_the_roles_are_created_and_named(
    run_command: RunCommand, resources: Resources, servers: Servers, worker_id: str
) -> None:
    name = f"roles_of_command_{worker_id}"
    async with roles_to_create(servers, resources.settings, name) as roles:
        result = await run_command("database", "roles", **environment(roles))

    assert result.code == 0, result.errors
    assert result.output == (
        f"{name} owner owns the database {name}. {name} service reads and writes rows.\n"
    )


async def test_the_roles_are_printed_as_json(run_command: RunCommand) -> None:
    result = await run_command("database", "roles", "--json")

    assert (result.json["owner"], result.json["service"]) == (OWNER, SERVICE)


async def test_an_administrator_who_may_not_create_roles_is_named_with_the_cure(
    run_command: RunCommand, resources: Resources
) -> None:
    weak = resources.settings.database_url
    result = await run_command("database", "roles", DATABASE_ADMIN_URL=weak)

    assert result.code == 1
    assert "permission denied" in result.errors
    assert "Set DATABASE_ADMIN_URL" in result.errors


async def test_settings_with_a_single_role_are_refused_with_a_clear_sentence(
    run_command: RunCommand, resources: Resources
) -> None:
    result = await run_command(
        "database", "roles", DATABASE_OWNER_URL=resources.settings.database_url
    )

    assert (result.code, result.errors) == (
        1,
        "DATABASE_URL and DATABASE_OWNER_URL need different users.\n",
    )
