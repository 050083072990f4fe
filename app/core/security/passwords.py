"""Password hashes (Argon2id), which are computed in one thread per core."""

import asyncio
import ctypes
import os
import sys
import threading
import unicodedata
from base64 import b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar, TypeVarTuple

from app.core.exceptions import Unavailable

if TYPE_CHECKING:
    from app.core.security.password_hashers import PasswordHasher

Arguments = TypeVarTuple("Arguments")
Result = TypeVar("Result")

MAX_PASSWORD_LENGTH = 128

NICENESS = 5

M_MMAP_THRESHOLD = -3
"""The number of the option in glibc's `malloc.h`."""

MAPPED_SIZE = 1 << 20
"""In bytes. Larger blocks, such as the memory of a hash, return to the system when freed."""


def _prepare_thread() -> None:
    """Give the event loop priority, and return memory to the system after each hash."""
    # On other systems, the niceness belongs to the whole process.
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
        # By default, glibc keeps up to twice the size of the largest freed block per thread. Other
        # C libraries do not have this call.
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        if mallopt is not None:
            mallopt(M_MMAP_THRESHOLD, MAPPED_SIZE)


# More threads would only compete with the event loop, and use 19 MiB each.
_threads = ThreadPoolExecutor(
    max_workers=os.cpu_count() or 1, thread_name_prefix="passwords", initializer=_prepare_thread
)


MAX_WAITING = max(24, 12 * (os.cpu_count() or 1))
"""How many passwords may wait for a thread: as many as the cores hash in about half a second."""


class PasswordsBusy(Unavailable):
    """Too many passwords wait to be hashed. Attackers could fill a queue without a limit."""

    retry_after = 1

    def __init__(self) -> None:
        super().__init__(
            "Too many people are logging in. Try again in a moment.",
            cause=f"{MAX_WAITING} passwords wait to be hashed",
        )


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of a hash: memory in KiB, passes over it, and lanes."""

    memory: int
    passes: int
    lanes: int


STANDARD_COST = Cost(memory=19_456, passes=2, lanes=1)
"""The first choice for Argon2id in OWASP's cheat sheet."""


@dataclass(frozen=True, slots=True)
class PasswordCheck:
    """Whether a password is correct. If so, `new_hash` may be an upgrade of the stored hash."""

    valid: bool
    new_hash: str | None = None


class Passwords:
    """Hashes and verifies passwords. Tests use a lower cost."""

    def __init__(self, cost: Cost = STANDARD_COST, *, max_waiting: int = MAX_WAITING) -> None:
        self._cost = cost
        self._dummy_hash = _dummy_hash(cost)
        self._max_waiting = max_waiting
        self._pending = 0

    async def hash(self, password: str) -> str:
        """Hash in a thread, because 30 ms on the event loop would delay every other request.

        Raise PasswordsBusy.
        """
        return await self.run(self._hash, normalized(password))

    async def verify(self, password: str, stored: str | None) -> PasswordCheck:
        """Compare a password with a stored hash. Without one, return invalid after the same time.

        Raise PasswordsBusy.
        """
        return await self.run(self._verify, password, stored)

    async def run(self, call: Callable[[*Arguments], Result], *arguments: *Arguments) -> Result:
        """Run a call in a thread for passwords. Raise PasswordsBusy if too many others wait."""
        if self._pending >= self._max_waiting:
            raise PasswordsBusy
        self._pending += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(_threads, call, *arguments)
        finally:
            self._pending -= 1

    @cached_property
    def _hasher(self) -> "PasswordHasher":
        # In a thread, which loads the libraries: 1 MiB that workers do not need.
        from app.core.security.password_hashers import PasswordHasher  # noqa: PLC0415

        return PasswordHasher(**asdict(self._cost))

    def _hash(self, password: str) -> str:
        return self._hasher.hash(password)

    def _verify(self, password: str, stored: str | None) -> PasswordCheck:
        if len(password) > MAX_PASSWORD_LENGTH:
            # No stored password is that long, and hashing a megabyte would take more than 30 ms.
            password, stored = "", None
        stored = stored or self._dummy_hash
        # Another service may have hashed the password without normalizing it.
        as_typed = [password] if self._hasher.is_imported(stored) else []
        for form in dict.fromkeys([normalized(password), *as_typed]):
            valid, new_hash = self._hasher.verify(form, stored)
            if valid:
                return PasswordCheck(valid=True, new_hash=new_hash)
        return PasswordCheck(valid=False)


def normalized(password: str) -> str:
    """Return a password in NFC, because keyboards send `é` in different forms."""
    return unicodedata.normalize("NFC", password)


def _dummy_hash(cost: Cost) -> str:
    """Return a hash that matches no password. Its verification takes as long as a real one."""
    salt, digest = (b64encode(bytes(size)).decode().rstrip("=") for size in (16, 32))
    return f"$argon2id$v=19$m={cost.memory},t={cost.passes},p={cost.lanes}${salt}${digest}"
