import asyncio

from joserfc import jwt
from joserfc.jwk import KeySet

from app.core.oidc.jwks_cache import JwksCache
from tests.support.oidc_provider import signing_key


def signed(key: str) -> str:
    return jwt.encode({"alg": "RS256", "kid": key}, {"sub": "1"}, signing_key(key))


async def test_ten_simultaneous_logins_with_a_new_key_fetch_the_keys_once() -> None:
    published = ["first"]
    looks: list[list[str]] = []

    async def fetch() -> KeySet:
        looks.append(published)
        await asyncio.sleep(0)
        return KeySet([signing_key(key) for key in published])

    ring = JwksCache(fetch)
    await ring.verify(signed("first"))
    published = ["second"]
    tokens = await asyncio.gather(*(ring.verify(signed("second")) for _ in range(10)))

    assert [token.claims for token in tokens] == [{"sub": "1"}] * 10
    assert looks == [["first"], ["second"]]
