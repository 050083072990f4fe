import asyncio
import json
import sys

import pytest

from app.core.resources import Resources
from app.core.security import hash_password
from tests.accounts import API, log_in, someone
from tests.authenticator import set_up_app
from tests.conftest import serve
from tests.ports import CLOSED_PORT
from tests.processes import ROOT, environment, running

PASSWORD = "correct horse"


async def command(
    resources: Resources, *arguments: str, typed: str = "", **changes: object
) -> tuple[int, str, str]:
    """Run `python -m app` with something on its standard input."""
    settings = resources.settings.model_copy(update=changes)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "app", *arguments,
        cwd=ROOT, env=environment(settings),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(30):
        output, errors = await process.communicate(typed.encode())
    assert process.returncode is not None
    return process.returncode, output.decode(), errors.decode()


def row(output: str) -> list[str]:
    """Read the only row of a table."""
    _, line = output.splitlines()
    return line.split()


async def test_the_first_superuser_logs_in(committing: Resources) -> None:
    code, output, _ = await command(
        committing, "users", "create-superuser", "root@example.com", typed=f"{PASSWORD}\n"
    )
    assert (code, row(output)) == (0, ["root@example.com", "superuser", "active"])

    async with serve(committing) as client:
        tokens = (await log_in(client, "root@example.com", PASSWORD)).json()
        headers = {"Authorization": f"Bearer {tokens['access_token']}"}
        assert (await client.get(f"{API}/users/", headers=headers)).status_code == 200


@pytest.mark.parametrize(
    ("email", "password", "reason"),
    [
        ("root@example.com", "password1", "Password is too common"),
        ("root@example.com", "short", "password: Value should have at least 8 items"),
        ("root", PASSWORD, "email: value is not a valid email address"),
        ("ada@example.com", PASSWORD, "User with this email already exists"),
    ],
)
async def test_what_cannot_be_created_is_a_sentence_and_exit_code_1(
    committing: Resources, email: str, password: str, reason: str
) -> None:
    await someone(committing)
    code, output, errors = await command(
        committing, "users", "create-superuser", email, typed=f"{password}\n"
    )

    assert (code, output) == (1, "")
    assert errors.startswith(reason)
    assert password not in errors


async def test_who_has_lost_the_second_factor_gets_in_again(committing: Resources) -> None:
    ada = await someone(committing, password_hash=await hash_password(PASSWORD))
    await set_up_app(committing, ada)
    done = await command(committing, "users", "remove-second-factor", ada.email)
    assert (done[0], row(done[1])) == (0, ["ada@example.com", "user", "active"])

    async with serve(committing) as client:
        assert (await log_in(client, ada.email, PASSWORD)).status_code == 200
    code, _, errors = await command(committing, "users", "remove-second-factor", ada.email)
    assert (code, errors) == (1, "Second factor not found\n")


async def test_users_are_listed_deactivated_and_activated(committing: Resources) -> None:
    ada = await someone(committing)
    async with serve(committing) as client:
        code, output, _ = await command(committing, "users", "deactivate", "ADA@example.com")
        assert (code, row(output)) == (0, ["ada@example.com", "user", "inactive"])
        me = await client.get(f"{API}/users/me", headers=ada.headers)
        assert me.status_code == 401
    back = await command(committing, "users", "activate", ada.email, "--json")
    code, output, _ = await command(committing, "users", "list", "--json")

    assert back[1] == output
    [user] = json.loads(output)["data"]
    assert (code, user["email"], user["is_active"]) == (0, ada.email, True)


async def test_an_unknown_user_is_exit_code_1(committing: Resources) -> None:
    answer = await command(committing, "users", "deactivate", "nobody@example.com")

    assert answer == (1, "", "User not found\n")


async def test_a_database_that_is_away_is_a_sentence(committing: Resources) -> None:
    url = f"postgresql+asyncpg://a:b@127.0.0.1:{CLOSED_PORT}/x"
    code, _, errors = await command(committing, "users", "list", database_url=url)

    assert code == 1
    assert errors.startswith("PostgreSQL at 127.0.0.1:")
    assert "Traceback" not in errors


async def test_a_command_that_does_not_exist_is_exit_code_2(committing: Resources) -> None:
    async with running(committing.settings, "-m", "app", "users", "promote") as process:
        assert await process.ended() == 2
