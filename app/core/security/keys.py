"""Keys for signatures and encryption, derived per purpose from SECRET_KEY and its fallbacks.

Nothing else reads SECRET_KEY. So it can be replaced, and everything that was signed or encrypted
before stays valid.
"""

import hmac
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Self, TypeVar

from pydantic import SecretStr

from app.core.config import Settings

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, eq=False)
class Keys:
    """The 256-bit keys for one purpose. A signature for one purpose is invalid for another.

    `current` signs and encrypts. All keys verify and decrypt. The keys of the same secrets are the
    same object, so caches can compare them quickly.
    """

    current: bytes
    earlier: tuple[bytes, ...] = ()

    @classmethod
    def of(cls, settings: Settings, purpose: str) -> Self:
        """Derive the keys for a purpose."""
        fallbacks = map(SecretStr.get_secret_value, settings.secret_key_fallbacks)
        return cls._derived(settings.secret_key.get_secret_value(), tuple(fallbacks), purpose)

    @classmethod
    @lru_cache(64)
    def _derived(cls, secret: str, fallbacks: tuple[str, ...], purpose: str) -> Self:
        return cls(_derive(secret, purpose), tuple(_derive(each, purpose) for each in fallbacks))

    def __iter__(self) -> Iterator[bytes]:
        yield self.current
        yield from self.earlier

    def try_each(
        self, attempt: Callable[[bytes], Result], *, wrong_key: type[Exception]
    ) -> tuple[Result, bool]:
        """Return the result of the first matching key, and whether it is the current key.

        Raise `wrong_key` if no key matches. Other exceptions of an attempt are raised at once.
        """
        *others, last = self
        for key in others:
            try:
                return attempt(key), key is self.current
            except wrong_key:
                continue
        return attempt(last), last is self.current


def _derive(secret: str, purpose: str) -> bytes:
    return hmac.digest(secret.encode(), purpose.encode(), "sha256")
