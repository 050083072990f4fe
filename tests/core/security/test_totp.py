from urllib.parse import parse_qs, urlsplit

import pytest

from app.core.security.totp import STEP, as_base32, code_at, find_step, new_secret, provisioning_uri

SECRET = b"12345678901234567890"
"""The secret of RFC 6238's test vectors."""


@pytest.mark.parametrize(
    ("moment", "vector"),
    [
        (59, "94287082"),
        (1111111109, "07081804"),
        (1111111111, "14050471"),
        (1234567890, "89005924"),
        (2000000000, "69279037"),
        (20000000000, "65353130"),
    ],
)
def test_codes_match_the_test_vectors_of_rfc_6238(moment: int, vector: str) -> None:
    assert code_at(SECRET, moment // STEP) == vector[-6:]


@pytest.mark.parametrize(
    ("late", "good"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)]
)
def test_a_clock_may_be_one_step_early_or_late(late: int, good: bool) -> None:
    found = find_step(SECRET, code_at(SECRET, 100), now=100 + late, after=0)

    assert found == (100 if good else None)


def test_a_used_code_and_earlier_ones_are_rejected() -> None:
    for step in (99, 100):
        assert find_step(SECRET, code_at(SECRET, step), now=100, after=100) is None
    assert find_step(SECRET, code_at(SECRET, 101), now=100, after=100) == 101


@pytest.mark.parametrize(
    "code", ["", "1", "000000", "\uff11\uff12\uff13\uff14\uff15\uff16", "é" * 6, "\ud800"]
)
def test_a_malformed_code_is_rejected(code: str) -> None:
    assert find_step(SECRET, code, now=100, after=0) is None


def test_the_uri_contains_all_that_an_app_needs() -> None:
    uri = provisioning_uri(SECRET, issuer="service.example.com", account="ada+x@example.com")

    parts = urlsplit(uri)
    assert (parts.scheme, parts.netloc) == ("otpauth", "totp")
    assert parts.path == "/service.example.com:ada%2Bx@example.com"
    assert parse_qs(parts.query) == {
        "secret": ["GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"],
        "issuer": ["service.example.com"],
        "algorithm": ["SHA1"],
        "digits": ["6"],
        "period": ["30"],
    }


def test_every_secret_is_unique_and_has_160_bits() -> None:
    secrets = {new_secret() for _ in range(100)}

    assert len(secrets) == 100
    assert {len(secret) for secret in secrets} == {20}
    assert all(len(as_base32(secret)) == 32 for secret in secrets)
