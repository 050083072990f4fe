"""Forged access tokens, and valid tokens for another purpose, are answered with 401."""

import base64
import json
import time
from collections.abc import Callable

import httpx2
import pytest

from app.core.config import Settings
from app.core.resources import Resources
from app.core.security.keys import Keys
from tests.support.accounts import API, Person, bearer, create_user
from tests.support.tokens import HEADER, claims_of, expired, forged, signed

Forgery = Callable[[Settings, Person], str]


def part(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def unsigned(algorithm: object) -> Forgery:
    """Name no algorithm, and leave the signature empty."""
    return lambda settings, person: (
        f"{part(HEADER | {'alg': algorithm})}.{part(claims_of(settings, person))}."
    )


def with_claims(**changes: object) -> Forgery:
    """Sign claims that the service never makes, with its own key."""
    return lambda settings, person: signed(settings, claims_of(settings, person, **changes))


def with_header(**changes: object) -> Forgery:
    """Sign with a header that the service never makes, with its own key."""
    return lambda settings, person: signed(settings, claims_of(settings, person), header=changes)


def with_key(key: bytes | str) -> Forgery:
    return lambda settings, person: signed(settings, claims_of(settings, person), key=key)


def without_signature(settings: Settings, person: Person) -> str:
    return signed(settings, claims_of(settings, person)).rpartition(".")[0] + "."


def with_the_secret_itself(settings: Settings, person: Person) -> str:
    secret = settings.secret_key.get_secret_value()
    return signed(settings, claims_of(settings, person), key=secret)


def with_the_key_of_something_else(settings: Settings, person: Person) -> str:
    key = Keys.of(settings, "something else").current
    return signed(settings, claims_of(settings, person), key=key)


def with_another_algorithm(settings: Settings, person: Person) -> str:
    key = Keys.of(settings, "access token").current * 2
    return signed(settings, claims_of(settings, person), key=key, algorithm="HS512")


def with_duplicate_keys(settings: Settings, person: Person) -> str:
    header = '{"alg":"none","typ":"at+jwt","alg":"HS256"}'
    good = signed(settings, claims_of(settings, person))
    return ".".join([part(header), *good.split(".")[1:]])


def with_changed_claims(settings: Settings, person: Person) -> str:
    first, _, signature = signed(settings, claims_of(settings, person)).split(".")
    return f"{first}.{part(claims_of(settings, person, exp=2**31))}.{signature}"


def of_one_megabyte(settings: Settings, person: Person) -> str:
    return signed(settings, claims_of(settings, person, more="x" * 1_000_000))


def of_nobody(settings: Settings, person: Person) -> str:
    return signed(settings, claims_of(settings, person, sub="01a20770-16f8-744f-972c-25eb4e80faf9"))


FORGERIES: dict[str, Forgery] = {
    "alg none": unsigned("none"),
    "alg None": unsigned("None"),
    "alg nOnE": unsigned("nOnE"),
    "alg empty": unsigned(""),
    "alg null": unsigned(None),
    "alg a list": unsigned(["HS256"]),
    "no signature": without_signature,
    "another key": forged,
    "empty key": with_key(b"\x00" * 32),
    "the secret itself": with_the_secret_itself,
    "the key of something else": with_the_key_of_something_else,
    "another algorithm": with_another_algorithm,
    "kid": with_header(kid="../../dev/null"),
    "jku": with_header(jku="https://evil.example.com/keys.json"),
    "x5u": with_header(x5u="https://evil.example.com/cert.pem"),
    "jwk": with_header(jwk={"kty": "oct", "k": "a2tr"}),
    "crit": with_header(crit=["exp"]),
    "typ JWT": with_header(typ="JWT"),
    "duplicate keys": with_duplicate_keys,
    "changed claims": with_changed_claims,
    "expired": expired,
    "exp missing": with_claims(exp=None),
    "exp a text": with_claims(exp="tomorrow"),
    "exp infinite": with_claims(exp=float("inf")),
    "exp huge": with_claims(exp=10**400),
    "nbf tomorrow": with_claims(nbf=int(time.time()) + 86_400),
    "nbf a list": with_claims(nbf=[1]),
    "iat tomorrow": with_claims(iat=int(time.time()) + 86_400),
    "iat missing": with_claims(iat=None),
    "iss missing": with_claims(iss=None),
    "iss another": with_claims(iss="https://evil.example.com/"),
    "aud missing": with_claims(aud=None),
    "aud another": with_claims(aud="https://evil.example.com/"),
    "aud a list": with_claims(aud=["https://service.example.com/"]),
    "typ missing": with_claims(typ=None),
    "typ refresh": with_claims(typ="refresh"),
    "typ a list": with_claims(typ=["access"]),
    "jti missing": with_claims(jti=None),
    "sub missing": with_claims(sub=None),
    "sub no id": with_claims(sub="1 OR 1=1"),
    "sid missing": with_claims(sid=None),
    "another user's session": of_nobody,
    "1 MB": of_one_megabyte,
    "refresh token": lambda _, person: person.refresh_token,
    "not even three parts": lambda *_: "a.b",
    "no token": lambda *_: "null",
}


@pytest.fixture
async def ada(resources: Resources) -> Person:
    return await create_user(resources)


async def test_the_token_that_the_forgeries_start_from_is_valid(
    client: httpx2.AsyncClient, settings: Settings, ada: Person
) -> None:
    token = signed(settings, claims_of(settings, ada))

    assert (await client.get(f"{API}/users/me", headers=bearer(token))).status_code == 200


async def test_a_forged_token_is_refused(
    client: httpx2.AsyncClient, settings: Settings, ada: Person
) -> None:
    for name, forge in FORGERIES.items():
        answer = await client.get(f"{API}/users/me", headers=bearer(forge(settings, ada)))
        assert answer.status_code == 401, name
        assert answer.json()["detail"] == "Could not validate credentials", name


async def test_another_kind_of_credentials_is_refused(client: httpx2.AsyncClient) -> None:
    for header in ("", "Bearer", "Basic YTpi", "bearer  ", "Bearer a b c", "Token x"):
        answer = await client.get(f"{API}/users/me", headers={"Authorization": header})
        assert answer.status_code == 401, header
