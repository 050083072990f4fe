"""A provider's signing keys, which it may change at any time."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from joserfc.errors import InvalidKeyIdError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry
from joserfc.jwt import Token, decode

ALGORITHMS = (
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519",
)  # fmt: skip
"""Asymmetric ones only: with HS256, whoever knows the public key could sign; with none, anybody."""

MAX_AGE = 3_600
"""Seconds after which the keys are asked for again: one that was withdrawn counts no longer."""

PAUSE = 60
"""Seconds between two look-ups of an unknown key: made-up ones shall not flood the provider."""

_registry = JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)


class KeyRing:
    """Verifies signatures with keys that `fetch` brings."""

    def __init__(self, fetch: Callable[[], Awaitable[KeySet]]) -> None:
        self._fetch = fetch
        self._keys = KeySet([])
        self._good_until = 0.0
        self._no_search_until = 0.0
        self._search = asyncio.Lock()

    async def verify(self, token: str) -> Token:
        """Check a token's signature, and with an unknown key look once for new ones.

        Raises joserfc's JoseError or ValueError for a token that is not good, and what `fetch`
        raises.
        """
        if time.monotonic() >= self._good_until:
            await self._renew()
        known = self._keys
        try:
            return self._decode(token)
        except InvalidKeyIdError:
            async with self._search:
                # Whoever has waited for another's search uses what that one has found.
                if self._keys is known:
                    if time.monotonic() < self._no_search_until:
                        raise
                    self._no_search_until = time.monotonic() + PAUSE
                    await self._renew()
            return self._decode(token)

    async def _renew(self) -> None:
        self._keys = await self._fetch()
        self._good_until = time.monotonic() + MAX_AGE

    def _decode(self, token: str) -> Token:
        return decode(token, self._keys, registry=_registry)
