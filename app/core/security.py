"""Passwords: hashed with Argon2id, off the event loop."""

from asyncio import to_thread

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

_hasher = PasswordHash([Argon2Hasher(memory_cost=19_456, time_cost=2, parallelism=1)])
"""19 MiB, 2 passes, 1 lane: the OWASP password storage cheat sheet's first choice for Argon2id."""


async def hash_password(password: str) -> str:
    """Hash in a thread: some 30 ms on the event loop would stall every other request."""
    return await to_thread(_hasher.hash, password)
