"""Passwords: hashed with Argon2id, off the event loop, no more at once than there are cores."""

import asyncio
import os
import sys
import threading
import unicodedata
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from pwdlib import PasswordHash
from pwdlib.exceptions import UnknownHashError
from pwdlib.hashers.argon2 import Argon2Hasher

MEMORY, PASSES, LANES = 19_456, 2, 1
"""19 MiB, 2 passes, 1 lane: the OWASP password storage cheat sheet's first choice for Argon2id."""

MAX_PASSWORD_LENGTH = 128

_hasher = PasswordHash([Argon2Hasher(memory_cost=MEMORY, time_cost=PASSES, parallelism=LANES)])

NICENESS = 5


def _step_back() -> None:
    """Let the event loop go first where both want a core."""
    # Elsewhere, niceness is the whole process's.
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)


# More threads would only take the cores from the event loop, and 19 MiB each.
_threads = ThreadPoolExecutor(
    max_workers=os.cpu_count() or 1, thread_name_prefix="passwords", initializer=_step_back
)


def _nobody() -> str:
    salt, digest = (b64encode(bytes(size)).decode().rstrip("=") for size in (16, 32))
    return f"$argon2id$v=19$m={MEMORY},t={PASSES},p={LANES}${salt}${digest}"


NOBODY = _nobody()
"""A hash that no password has. Comparing with it takes as long as with a real one."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`new_hash` is there when a right password should be stored with newer parameters."""

    right: bool
    new_hash: str | None = None


async def hash_password(password: str) -> str:
    """Hash in a thread: some 30 ms on the event loop would stall every other request."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_threads, _hasher.hash, normalized(password))


async def verify_password(password: str, stored: str | None) -> Verdict:
    """Compare with a stored hash; without one, take as long and say no."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_threads, _verify, normalized(password), stored or NOBODY)


def normalized(password: str) -> str:
    """Bring a password to one form: keyboards differ in how they send `é`."""
    return unicodedata.normalize("NFC", password)


def _verify(password: str, stored: str) -> Verdict:
    if len(password) > MAX_PASSWORD_LENGTH:
        # No stored password is that long, and hashing a megabyte would cost more than 30 ms.
        password, stored = "", NOBODY
    try:
        return Verdict(*_hasher.verify_and_update(password, stored))
    except UnknownHashError:
        return Verdict(right=False)
