import asyncio

import pytest
from pwdlib.hashers.argon2 import Argon2Hasher

from app.core.security import NOBODY, hash_password, verify_password


async def test_the_same_password_has_another_hash_each_time() -> None:
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

    assert (await verify_password(password, stored)).right
    assert not (await verify_password(other, stored)).right


async def test_a_password_is_the_same_however_a_keyboard_composes_it() -> None:
    composed, decomposed = "caf\u00e9 au lait", "cafe\u0301 au lait"

    assert (await verify_password(decomposed, await hash_password(composed))).right
    assert (await verify_password(composed, await hash_password(decomposed))).right


async def test_a_hash_of_older_parameters_is_renewed_when_the_password_is_right() -> None:
    old = Argon2Hasher(memory_cost=8_192, time_cost=1, parallelism=1).hash("correct horse")

    verdict = await verify_password("correct horse", old)
    assert verdict.new_hash is not None
    assert verdict.new_hash.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert (await verify_password("correct horse", verdict.new_hash)).new_hash is None
    assert (await verify_password("wrong horse", old)).new_hash is None


@pytest.mark.parametrize("stored", [None, "", NOBODY, "$2b$12$abc", "unknown"])
async def test_who_has_no_password_has_none_that_is_right(stored: str | None) -> None:
    for password in ("", "correct horse", "x" * 1_000_000):
        assert not (await verify_password(password, stored)).right


async def test_the_event_loop_goes_on_while_passwords_are_hashed() -> None:
    hashing = asyncio.gather(*(hash_password("correct horse") for _ in range(8)))
    turns = 0
    while not hashing.done():
        await asyncio.sleep(0)
        turns += 1

    assert turns > len(hashing.result())
