import pytest
from pydantic import HttpUrl

from app.core.config import Settings
from app.core.security.passkeys.relying_party import relying_party


@pytest.mark.parametrize(
    ("public_url", "front_end_url", "domain", "origins"),
    [
        ("https://example.com", None, "example.com", ["https://example.com"]),
        ("http://localhost:8000", None, "localhost", ["http://localhost:8000"]),
        (
            "https://example.com/api",
            "https://app.example.com",
            "example.com",
            ["https://example.com", "https://app.example.com"],
        ),
        (
            "https://api.example.com",
            "https://example.com/start",
            "example.com",
            ["https://api.example.com", "https://example.com"],
        ),
        # They may share only co.uk, so passkeys belong to the host of the front end.
        (
            "https://api.example.com",
            "https://app.example.com",
            "app.example.com",
            ["https://app.example.com"],
        ),
        (
            "https://example.com",
            "https://notexample.com",
            "notexample.com",
            ["https://notexample.com"],
        ),
    ],
    ids=str,
)
def test_the_relying_party_follows_from_the_addresses_of_the_service(
    settings: Settings,
    public_url: str,
    front_end_url: str | None,
    domain: str,
    origins: list[str],
) -> None:
    urls = {
        "public_url": HttpUrl(public_url),
        "front_end_url": HttpUrl(front_end_url) if front_end_url else None,
    }
    party = relying_party(settings.model_copy(update=urls))

    assert (party.id, party.origins) == (domain, origins)
