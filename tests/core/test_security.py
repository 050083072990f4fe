import asyncio

from pwdlib.hashers.argon2 import Argon2Hasher

from app.core.security import hash_password


async def test_the_same_password_has_another_hash_each_time() -> None:
    assert await hash_password("correct horse") != await hash_password("correct horse")


async def test_all_of_a_long_password_counts() -> None:
    stored = await hash_password("x" * 127 + "y")

    assert Argon2Hasher().verify("x" * 127 + "y", stored)
    assert not Argon2Hasher().verify("x" * 127 + "z", stored)


async def test_the_event_loop_goes_on_while_passwords_are_hashed() -> None:
    hashing = asyncio.gather(*(hash_password("correct horse") for _ in range(8)))
    turns = 0
    while not hashing.done():
        await asyncio.sleep(0)
        turns += 1

    assert turns > len(hashing.result())
