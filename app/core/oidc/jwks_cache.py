"""A cache of a provider's signing keys, which may change at any time."""

import asyncio
import time
import warnings
from collections.abc import Awaitable, Callable

from joserfc.errors import InvalidKeyIdError, SecurityWarning
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry
from joserfc.jwt import Token, decode

ALGORITHMS = (
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512",
    "Ed25519", "EdDSA",
)  # fmt: skip
"""Only asymmetric algorithms. With HS256, a public key could be used to sign, and `none` needs no
key. Most providers use EdDSA, the older name of Ed25519.
"""

MAX_AGE = 3_600
"""Seconds after which the keys are fetched again, so that a withdrawn key becomes invalid."""

PAUSE = 60
"""Seconds between two fetches for unknown keys. Forged key ids must not flood the provider."""

_registry = JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)


class JwksCache:
    """Verifies signatures with the keys that `fetch` returns."""

    def __init__(self, fetch: Callable[[], Awaitable[KeySet]]) -> None:
        self._fetch = fetch
        self._keys = KeySet([])
        self._fresh_until = 0.0
        self._no_fetch_until = 0.0
        self._fetching = asyncio.Lock()

    async def verify(self, token: str) -> Token:
        """Verify the signature of a token. If its key is unknown, fetch the keys first.

        Raises joserfc's JoseError or ValueError for an invalid token, and the errors of `fetch`.
        """
        if time.monotonic() >= self._fresh_until:
            await self._refresh()
        known = self._keys
        try:
            return self._decode(token)
        except InvalidKeyIdError:
            async with self._fetching:
                # A concurrent call may have fetched the keys while this one waited.
                if self._keys is known:
                    if time.monotonic() < self._no_fetch_until:
                        raise
                    self._no_fetch_until = time.monotonic() + PAUSE
                    await self._refresh()
            return self._decode(token)

    async def _refresh(self) -> None:
        self._keys = await self._fetch()
        self._fresh_until = time.monotonic() + MAX_AGE

    def _decode(self, token: str) -> Token:
        with warnings.catch_warnings():
            # The name EdDSA is deprecated, and the warning would not go through the log.
            warnings.simplefilter("ignore", SecurityWarning)
            return decode(token, self._keys, registry=_registry)
