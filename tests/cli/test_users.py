import pytest

from app.core.resources import Resources
from app.core.security import hash_password
from tests.accounts import API, log_in, someone
from tests.authenticator import set_up_app
from tests.cli.conftest import Answer, Ask
from tests.conftest import serve
from tests.ports import CLOSED_PORT

PASSWORD = "correct horse"


def row(output: str) -> list[str]:
    """Read the only row of a table."""
    _, line = output.splitlines()
    return line.split()


async def test_the_first_superuser_logs_in(resources: Resources, ask: Ask) -> None:
    created = await ask("users", "create-superuser", "root@example.com", typed=f"{PASSWORD}\n")
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
        ("ada@example.com", PASSWORD, "User with this email already exists"),
    ],
)
async def test_what_cannot_be_created_is_a_sentence_and_exit_code_1(
    resources: Resources, ask: Ask, email: str, password: str, reason: str
) -> None:
    await someone(resources)
    answer = await ask("users", "create-superuser", email, typed=f"{password}\n")

    assert (answer.code, answer.output) == (1, "")
    assert answer.errors.startswith(reason)
    assert password not in answer.errors


async def test_who_has_lost_the_second_factor_gets_in_again(resources: Resources, ask: Ask) -> None:
    ada = await someone(resources, password_hash=await hash_password(PASSWORD))
    await set_up_app(resources, ada)
    done = await ask("users", "remove-second-factor", ada.email)
    assert (done.code, row(done.output)) == (0, ["ada@example.com", "user", "active"])

    async with serve(resources) as client:
        assert (await log_in(client, ada.email, PASSWORD)).status_code == 200
    again = await ask("users", "remove-second-factor", ada.email)
    assert again.code == 1
    assert again.errors.endswith("Second factor not found\n")


async def test_users_are_listed_deactivated_and_activated(resources: Resources, ask: Ask) -> None:
    ada = await someone(resources)
    async with serve(resources) as client:
        gone = await ask("users", "deactivate", "ADA@example.com")
        assert (gone.code, row(gone.output)) == (0, ["ada@example.com", "user", "inactive"])
        me = await client.get(f"{API}/users/me", headers=ada.headers)
        assert me.status_code == 401
    back = await ask("users", "activate", ada.email, "--json")
    listed = await ask("users", "list", "--json")

    assert back.output == listed.output
    [user] = listed.json["data"]
    assert (listed.code, user["email"], user["is_active"]) == (0, ada.email, True)


async def test_an_unknown_user_is_exit_code_1(ask: Ask) -> None:
    answer = await ask("users", "deactivate", "nobody@example.com")

    assert answer == Answer(1, "", "User not found\n")


async def test_a_database_that_is_away_is_a_sentence(ask: Ask) -> None:
    url = f"postgresql+asyncpg://a:b@127.0.0.1:{CLOSED_PORT}/x"
    answer = await ask("users", "list", DATABASE_URL=url)

    assert answer.code == 1
    assert answer.errors.startswith("PostgreSQL at 127.0.0.1:")
    assert "Traceback" not in answer.errors


async def test_a_command_that_does_not_exist_is_exit_code_2(ask: Ask) -> None:
    assert (await ask("users", "promote")).code == 2
