"""Argon2id, and bcrypt for the hashes of imported users.

`Passwords` loads this module in a thread at its first password. Workers have none.
"""

from pwdlib import PasswordHash
from pwdlib.exceptions import UnknownHashError
from pwdlib.hashers.argon2 import Argon2Hasher
from pwdlib.hashers.base import HasherProtocol
from pwdlib.hashers.bcrypt import BcryptHasher

BCRYPT_LENGTH = 72
"""In bytes. bcrypt ignores further bytes, and its library rejects longer passwords."""


class PasswordHasher:
    """Hashes with Argon2id. The memory is in KiB."""

    def __init__(self, *, memory: int, passes: int, lanes: int) -> None:
        argon2 = Argon2Hasher(memory_cost=memory, time_cost=passes, parallelism=lanes)
        self._hashers = PasswordHash([argon2, ImportedBcrypt()])

    def hash(self, password: str) -> str:
        return self._hashers.hash(password)

    def verify(self, password: str, stored: str) -> tuple[bool, str | None]:
        """Return whether the password is correct, and the upgraded hash if it is and needs one."""
        try:
            return self._hashers.verify_and_update(password, stored)
        except (UnknownHashError, ValueError):
            return False, None

    def is_imported(self, stored: str) -> bool:
        return ImportedBcrypt.identify(stored)


class ImportedBcrypt(HasherProtocol):
    """Verifies bcrypt hashes of an imported user table. A login replaces them with Argon2id."""

    def __init__(self) -> None:
        self._bcrypt = BcryptHasher()

    @classmethod
    def identify(cls, hash: str | bytes) -> bool:  # noqa: A002  the library's name
        return BcryptHasher.identify(hash)

    def hash(self, password: str | bytes, *, salt: bytes | None = None) -> str:
        raise NotImplementedError("new passwords are hashed with Argon2id")

    def verify(self, password: str | bytes, hash: str | bytes) -> bool:  # noqa: A002
        encoded = password.encode() if isinstance(password, str) else password
        return self._bcrypt.verify(encoded[:BCRYPT_LENGTH], hash)

    def check_needs_rehash(self, hash: str | bytes) -> bool:  # noqa: A002, ARG002
        return True
