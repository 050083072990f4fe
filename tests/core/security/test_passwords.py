import asyncio
import os
from pathlib import Path

import bcrypt
import pytest

from app.core.config import Settings
from app.core.resources import open_resources
from app.core.security.passwords import Passwords
from tests.support.passwords import hash_password, verify_password


async def test_a_password_is_hashed_differently_each_time() -> None:
    assert await hash_password("correct horse") != await hash_password("correct horse")


@pytest.mark.parametrize(
    ("password", "other"),
    [
        ("x" * 127 + "y", "x" * 127 + "z"),
        ("x" * 72 + "y", "x" * 72 + "z"),
        ("x" * 72 + "y", "x" * 72),
        ("🐎🔋📎✅" * 4, "🐎🔋📎❎" * 4),
        ("correct horse", "correct horse "),
        ("correct horse", "Correct horse"),
    ],
    ids=["128th", "73rd", "73rd missing", "emoji", "space", "case"],
)
async def test_every_character_of_a_password_counts(password: str, other: str) -> None:
    stored = await hash_password(password)

    assert (await verify_password(password, stored)).valid
    assert not (await verify_password(other, stored)).valid


async def test_a_password_works_on_keyboards_that_compose_accents_differently() -> None:
    composed, decomposed = "caf\u00e9 au lait", "cafe\u0301 au lait"

    assert (await verify_password(decomposed, await hash_password(composed))).valid
    assert (await verify_password(composed, await hash_password(decomposed))).valid


async def test_the_service_hashes_with_the_cost_that_owasp_recommends(
    settings: Settings,
) -> None:
    async with open_resources(settings) as resources:
        stored = await resources.passwords.hash("correct horse")

    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert (await resources.passwords.verify("correct horse", stored)).valid


async def test_a_right_password_upgrades_a_hash_with_older_parameters() -> None:
    passwords, old = Passwords(), await hash_password("correct horse")

    check = await passwords.verify("correct horse", old)
    assert check.new_hash is not None
    assert check.new_hash.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert (await passwords.verify("correct horse", check.new_hash)).new_hash is None
    assert (await passwords.verify("wrong horse", old)).new_hash is None


NO_PASSWORD = f"$argon2id$v=19$m=8,t=1,p=1${'A' * 22}${'A' * 43}"


@pytest.mark.parametrize("stored", [None, "", NO_PASSWORD, "$2b$12$abc", "unknown"])
async def test_without_a_usable_hash_every_password_is_wrong(stored: str | None) -> None:
    for password in ("", "correct horse", "x" * 1_000_000):
        assert not (await verify_password(password, stored)).valid


async def test_the_event_loop_runs_while_passwords_are_hashed() -> None:
    hashing = asyncio.gather(*(Passwords().hash("correct horse") for _ in range(8)))
    turns = 0
    while not hashing.done():
        await asyncio.sleep(0)
        turns += 1

    assert turns > len(hashing.result())


BCRYPT_OF_CORRECT_HORSE = {
    prefix: bcrypt.hashpw(b"correct horse", bcrypt.gensalt(4)).decode().replace("$2b$", prefix)
    for prefix in ("$2a$", "$2b$", "$2y$")
}


@pytest.mark.parametrize("prefix", BCRYPT_OF_CORRECT_HORSE)
async def test_a_bcrypt_hash_of_an_imported_user_is_verified_and_upgraded(prefix: str) -> None:
    check = await verify_password("correct horse", BCRYPT_OF_CORRECT_HORSE[prefix])

    assert check.valid
    assert check.new_hash is not None
    assert check.new_hash.startswith("$argon2id$")
    assert not (await verify_password("wrong horse", BCRYPT_OF_CORRECT_HORSE[prefix])).valid


async def test_an_imported_password_longer_than_bcrypt_reads_still_works() -> None:
    long = "ü" * 60
    stored = bcrypt.hashpw(long.encode()[:72], bcrypt.gensalt(4)).decode()

    check = await verify_password(long, stored)
    assert check.new_hash is not None
    assert (await verify_password(long, check.new_hash)).valid
    assert not (await verify_password("ü" * 59, check.new_hash)).valid


async def test_an_imported_hash_may_be_of_any_form_of_an_accented_letter() -> None:
    decomposed = "cafe\u0301 au lait"
    stored = bcrypt.hashpw(decomposed.encode(), bcrypt.gensalt(4)).decode()

    assert (await verify_password(decomposed, stored)).valid


async def test_hashing_leaks_no_memory() -> None:
    passwords, hashes_at_once = Passwords(), 2 * (os.cpu_count() or 1)
    await passwords.hash("correct horse battery")
    before = resident_memory()
    for _ in range(2):
        await asyncio.gather(
            *(passwords.hash("correct horse battery") for _ in range(hashes_at_once))
        )
    assert resident_memory() - before < 10 << 20


def resident_memory() -> int:
    """Return the bytes that this process holds, without the files that it has mapped."""
    _, resident, shared, *_ = map(int, Path("/proc/self/statm").read_text().split())
    return (resident - shared) * os.sysconf("SC_PAGE_SIZE")
