from pydantic import SecretStr

from app.core.resources import Resources
from tests.cli.results import RunCommand
from tests.support.accounts import create_user
from tests.support.authenticator import enroll_authenticator
from tests.support.secrets import OTHER_SECRET, STRONG_SECRET
from tests.support.service import with_settings


async def add_factors(resources: Resources, key: str, *names: str) -> None:
    rotated = with_settings(resources, secret_key=SecretStr(key))
    for name in names:
        await enroll_authenticator(rotated, await create_user(rotated, name))


async def test_a_rotation_shows_its_progress_and_when_the_old_key_can_be_removed(
    run_command: RunCommand, resources: Resources
) -> None:
    await add_factors(resources, STRONG_SECRET, "ada", "bob")
    await add_factors(resources, OTHER_SECRET, "eve")
    keys = {"SECRET_KEY": OTHER_SECRET, "SECRET_KEY_FALLBACKS": f"{STRONG_SECRET},unused"}

    result = await run_command("secrets", "rotate", **keys)

    assert result.code == 0, result.errors
    assert "second factors: 3 of 3, 2 re-encrypted" in result.errors
    assert "Everything is encrypted with SECRET_KEY. Remove SECRET_KEY_FALLBACKS after 2" in (
        result.output
    )
    again = await run_command("secrets", "rotate", SECRET_KEY_FALLBACKS="", SECRET_KEY=OTHER_SECRET)
    assert "second factors: 3 of 3, 0 re-encrypted" in again.errors
    assert again.code == 0


async def test_a_rotation_without_the_old_key_names_what_is_missing(
    run_command: RunCommand, resources: Resources
) -> None:
    await add_factors(resources, STRONG_SECRET, "ada")

    result = await run_command("secrets", "rotate", "--json", SECRET_KEY=OTHER_SECRET)

    assert result.code == 1
    assert result.json["removable_at"] is None
    assert result.json["progress"][0]["unreadable"] == 1
