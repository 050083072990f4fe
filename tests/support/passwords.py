"""Cheap password hashes."""

import asyncio

from app.core.security.passwords import Cost, PasswordCheck, Passwords

CHEAP = Cost(memory=8, passes=1, lanes=1)
CHEAP_PASSWORDS = Passwords(CHEAP)

hash_password = CHEAP_PASSWORDS.hash
verify_password = CHEAP_PASSWORDS.verify


class HeldPasswords(Passwords):
    """A password hasher that verifies, but does not answer before `release` is set."""

    def __init__(self) -> None:
        super().__init__(CHEAP)
        self.verified = asyncio.Event()
        self.release = asyncio.Event()

    async def verify(self, password: str, stored: str | None) -> PasswordCheck:
        check = await super().verify(password, stored)
        if check.valid:
            self.verified.set()
            await self.release.wait()
        return check
