import re

import pytest

from app.core.resources import Resources
from tests.cli.results import CommandResult, RunCommand
from tests.support.accounts import API, create_user, log_in
from tests.support.authenticator import enroll_authenticator
from tests.support.passwords import hash_password
from tests.support.ports import CLOSED_PORT
from tests.support.service import serve

PASSWORD = "correct horse"


def row(output: str) -> list[str]:
    """Read the only row of a table."""
    _, line = output.splitlines()
    return line.split()


async def test_the_first_superuser_logs_in(resources: Resources, run_command: RunCommand) -> None:
    created = await run_command(
        "users", "create-superuser", "root@example.com", typed=f"{PASSWORD}\n"
    )
    assert (created.code, row(created.output)) == (0, ["root@example.com", "superuser", "active"])

    async with serve(resources) as client:
        tokens = (await log_in(client, "root@example.com", PASSWORD)).json()
        headers = {"Authorization": f"Bearer {tokens['access_token']}"}
        assert (await client.get(f"{API}/users/", headers=headers)).status_code == 200


@pytest.mark.parametrize(
    ("email", "password", "reason"),
    [
        ("root@example.com", "password1", "Password is too common"),
        ("root@example.com", "short", "password: Value should have at least 8 items"),
        ("root", PASSWORD, "email: value is not a valid email address"),
        ("ada@example.com", PASSWORD, "The user with this email already exists in the system"),
    ],
)
async def test_an_invalid_user_exits_with_code_1_and_one_sentence(
    resources: Resources, run_command: RunCommand, email: str, password: str, reason: str
) -> None:
    await create_user(resources)
    answer = await run_command("users", "create-superuser", email, typed=f"{password}\n")

    assert (answer.code, answer.output) == (1, "")
    assert answer.errors.startswith(reason)
    assert password not in answer.errors


async def test_a_user_who_lost_the_second_factor_can_log_in_again(
    resources: Resources, run_command: RunCommand
) -> None:
    ada = await create_user(resources, password_hash=await hash_password(PASSWORD))
    await enroll_authenticator(resources, ada)
    done = await run_command("users", "remove-second-factor", ada.email)
    assert (done.code, row(done.output)) == (0, ["ada@example.com", "user", "active"])

    async with serve(resources) as client:
        assert (await log_in(client, ada.email, PASSWORD)).status_code == 200
    again = await run_command("users", "remove-second-factor", ada.email)
    assert again.code == 1
    assert again.errors.endswith("Second factor not found\n")


async def test_users_are_listed_deactivated_and_activated(
    resources: Resources, run_command: RunCommand
) -> None:
    ada = await create_user(resources)
    async with serve(resources) as client:
        gone = await run_command("users", "deactivate", "ADA@example.com")
        assert (gone.code, row(gone.output)) == (0, ["ada@example.com", "user", "inactive"])
        me = await client.get(f"{API}/users/me", headers=ada.headers)
        assert me.status_code == 401
    back = await run_command("users", "activate", ada.email, "--json")
    listed = await run_command("users", "list", "--json")

    assert back.output == listed.output
    [user] = listed.json["data"]
    assert (listed.code, user["email"], user["is_active"]) == (0, ada.email, True)


async def test_a_signed_up_user_becomes_a_superuser(
    resources: Resources, run_command: RunCommand
) -> None:
    ada = await create_user(resources)
    taken = await run_command("users", "create-superuser", ada.email, typed=f"{PASSWORD}\n")
    [cure] = re.findall(r"python -m app (users .*)", taken.errors)
    made = await run_command(*cure.split())

    assert (made.code, row(made.output)) == (0, ["ada@example.com", "superuser", "active"])
    async with serve(resources) as client:
        assert (await client.get(f"{API}/users/", headers=ada.headers)).status_code == 200


async def test_a_user_is_logged_out_everywhere(
    resources: Resources, run_command: RunCommand
) -> None:
    ada = await create_user(resources)
    ended = await run_command("users", "end-sessions", ada.email)

    assert (ended.code, row(ended.output)) == (0, ["ada@example.com", "user", "active"])
    async with serve(resources) as client:
        assert (await client.get(f"{API}/users/me", headers=ada.headers)).status_code == 401


async def test_an_unknown_user_exits_with_code_1(run_command: RunCommand) -> None:
    answer = await run_command("users", "deactivate", "unknown@example.com")

    assert answer == CommandResult(1, "", "User not found\n")


async def test_a_database_that_is_down_is_reported_in_one_sentence(run_command: RunCommand) -> None:
    url = f"postgresql+asyncpg://a:b@127.0.0.1:{CLOSED_PORT}/x"
    answer = await run_command("users", "list", DATABASE_URL=url)

    assert answer.code == 1
    assert answer.errors.startswith("PostgreSQL at 127.0.0.1:")
    assert "Traceback" not in answer.errors


async def test_an_unknown_command_exits_with_code_2(run_command: RunCommand) -> None:
    assert (await run_command("users", "promote")).code == 2
