import re
from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path

import pytest
from pydantic import ValidationError

from app.core.config import EXAMPLE_SECRET, ConfigurationError, Settings, load_settings
from app.core.oidc_settings import OidcProvider
from app.core.queue import QUEUES

Start = Callable[..., Settings]

SAFE = {
    "ENVIRONMENT": "production",
    "SECRET_KEY": "k" * 48,
    "DATABASE_URL": "postgresql://service:pa55word@db/service",
    "REDIS_URL": "redis://:pa55word@redis:6379",
    "PUBLIC_URL": "https://service.example.com",
    "OIDC_ACME_ISSUER": "https://acme.example.com",
    "OIDC_ACME_CLIENT_ID": "our-id",
    "OIDC_ACME_CLIENT_SECRET": "pa55word-at-acme",
}


@pytest.fixture(autouse=True)
def _no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Start:
    def start(**environment: str | None) -> Settings:
        for name, value in environment.items():
            if value is not None:
                monkeypatch.setenv(name, value)
        return load_settings.__wrapped__()

    return start


def test_a_developer_needs_no_environment(start: Start) -> None:
    assert start().environment == "development"


def test_a_safe_production_starts(start: Start) -> None:
    assert start(**SAFE).environment == "production"


@pytest.mark.parametrize(
    ("change", "cure"),
    [
        ({"SECRET_KEY": None}, "SECRET_KEY is missing. Generate one with"),
        ({"SECRET_KEY": EXAMPLE_SECRET}, "SECRET_KEY is the published example. Generate"),
        ({"SECRET_KEY": "s3cret"}, "SECRET_KEY is shorter than 32 characters. Generate"),
        ({"DATABASE_URL": None}, "DATABASE_URL is missing. Set it to postgresql://"),
        ({"DATABASE_URL": "postgresql://service@db/service"}, "DATABASE_URL has no password. Set"),
        ({"REDIS_URL": None}, "REDIS_URL is missing. Set it to redis://"),
        ({"REDIS_URL": "redis://redis:6379"}, "REDIS_URL has no password. Set it to redis://"),
        ({"QUEUE_EMAIL_REDIS_URL": "redis://mail"}, "QUEUE_EMAIL_REDIS_URL has no password. Set"),
        ({"OIDC_ACME_ISSUER": "http://acme.example.com"}, "OIDC_ACME_ISSUER must start with https"),
        ({"PUBLIC_URL": None}, "PUBLIC_URL is missing. Set it to the address that people see"),
        (
            {"CORS_ORIGINS": "*", "CORS_CREDENTIALS": "true"},
            "CORS_ORIGINS is * while CORS_CREDENTIALS is on",
        ),
    ],
    ids=lambda value: "" if isinstance(value, str) else next(iter(value)),
)
def test_an_unsafe_production_is_refused_in_one_line_with_the_cure(
    start: Start, change: dict[str, str | None], cure: str
) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        start(**SAFE | change)

    message = str(refusal.value)
    assert message.startswith(cure)
    assert "\n" not in message
    for value in (SAFE | change).values():
        assert value in {None, "*", "true"} or value not in message


def test_every_unsafe_setting_has_a_line_of_its_own(start: Start) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        start(ENVIRONMENT="production")

    lines = str(refusal.value).splitlines()
    names = ["SECRET_KEY", "DATABASE_URL", "REDIS_URL", "PUBLIC_URL"]
    assert [line.split()[0] for line in lines] == names


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SMTP_PORT", "smtp-p0rt"),
        ("DATABASE_URL", "mysql://root:pa55word@db/x"),
        ("REDIS_URL", "amqp://:pa55word@redis"),
        ("QUEUE_EMAIL_REDIS_URL", "amqp://:pa55word@redis"),
        ("MAIL_FROM", "n0body"),
        ("CORS_ORIGINS", "https://fr0nt.example.com/"),
        ("CORS_ORIGINS", "fr0nt.example.com"),
        ("ALLOWED_HOSTS", "https://s3rvice.example.com"),
        ("ALLOWED_HOSTS", "s3rvice.example.com:8000"),
        ("ALLOWED_HOSTS", "s3rvice.*"),
        ("TRUSTED_PROXIES", "10.0.0.1/8"),
        ("TRUSTED_PROXIES", "pr0xy.example.com"),
        ("OIDC_PROVIDERS", '{"Acme Inc.": {"client_id": "s3rvice"}}'),
        ("OIDC_ACME_ISSUER", "acme.s3rvice.example.com"),
        ("OIDC_ACME_ISSUER", "https://acme.example.com?s3rvice"),
    ],
)
def test_an_unusable_value_is_named_but_not_shown(start: Start, variable: str, value: str) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        start(**{variable: value})

    assert str(refusal.value).startswith(variable)
    assert value not in str(refusal.value)


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("postgres://a:b@c/d", "postgresql+asyncpg://a:b@c/d"),
        ("postgresql://a:b@c/d", "postgresql+asyncpg://a:b@c/d"),
        ("postgresql+asyncpg://a:b@c/d", "postgresql+asyncpg://a:b@c/d"),
        ("postgres://a:b@c/d?sslmode=require", "postgresql+asyncpg://a:b@c/d?ssl=require"),
    ],
)
def test_the_database_urls_of_hosting_providers_are_understood(given: str, used: str) -> None:
    assert Settings(database_url=given).database_url == used


def test_a_queue_may_have_a_redis_of_its_own(start: Start) -> None:
    settings = start(QUEUE_EMAIL_REDIS_URL="redis://:pa55word@mail-redis:6379/7")

    assert settings.queue_redis_urls == {"email": "redis://:pa55word@mail-redis:6379/7"}


def test_a_provider_is_named_by_its_variables(start: Start) -> None:
    acme = start(**SAFE).oidc_providers["acme"]

    assert (acme.issuer, acme.client_id) == ("https://acme.example.com", "our-id")
    assert acme.client_secret.get_secret_value() == "pa55word-at-acme"


def test_providers_may_be_one_variable_and_their_secrets_others(start: Start) -> None:
    providers = start(
        OIDC_PROVIDERS='{"acme": {"issuer": "https://acme.example.com", "client_id": "our-id"}}',
        OIDC_ACME_CLIENT_SECRET="pa55word",
    ).oidc_providers

    assert providers["acme"].client_id == "our-id"
    assert providers["acme"].client_secret.get_secret_value() == "pa55word"


def test_what_is_missing_of_a_provider_is_named(start: Start) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        start(OIDC_ACME_ISSUER="https://acme.example.com", OIDC_ACME_CLIENT_ID="our-id")

    assert str(refusal.value) == "OIDC_ACME_CLIENT_SECRET: Field required"


def test_lists_are_written_with_commas(start: Start) -> None:
    settings = start(CORS_ORIGINS="https://a.example.com, https://b.example.com")

    assert settings.cors_origins == ["https://a.example.com", "https://b.example.com"]


def test_proxies_are_addresses_or_networks(start: Start) -> None:
    settings = start(TRUSTED_PROXIES="127.0.0.1, 10.0.0.0/8,2001:db8::/32")

    assert settings.trusted_proxies == [
        ip_network("127.0.0.1/32"),
        ip_network("10.0.0.0/8"),
        ip_network("2001:db8::/32"),
    ]


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://service.example.com", "https://service.example.com"),
        ("https://Service.example.com:443/app/", "https://service.example.com"),
        ("http://localhost:8000", "http://localhost:8000"),
        ("http://user:pa55word@[::1]:8000", "http://[::1]:8000"),
    ],
)
def test_our_origin_is_written_as_browsers_write_it(start: Start, url: str, origin: str) -> None:
    assert start(PUBLIC_URL=url).public_origin == origin


def test_the_developers_file_wins_over_the_one_of_running_servers(
    start: Start, tmp_path: Path
) -> None:
    (tmp_path / ".dev").mkdir()
    (tmp_path / ".dev/env").write_text("SMTP_PORT=1111\nSMTP_HOST=caught.example.com\n")
    (tmp_path / ".env").write_text("SMTP_PORT=2222\nQUEUE_BASE_REDIS_URL=redis://:x@own\n")

    settings = start()

    assert (settings.smtp_host, settings.smtp_port) == ("caught.example.com", 2222)
    assert settings.queue_redis_urls == {"base": "redis://:x@own"}


def test_settings_show_no_secret_when_printed(start: Start) -> None:
    assert "pa55word" not in repr(start(**SAFE, SMTP_PASSWORD="pa55word"))


def test_settings_cannot_be_changed(start: Start) -> None:
    with pytest.raises(ValidationError, match="frozen"):
        setattr(start(), "smtp_port", 26)  # noqa: B010  mypy knows it, too


def test_the_example_lists_exactly_the_settings() -> None:
    example = (Path(__file__).parents[2] / ".env.example").read_text()
    listed = re.findall(r"^#? ?([A-Z][A-Z_]+)=", example, re.MULTILINE)
    named = {f"QUEUE_{queue.name.upper()}_REDIS_URL" for queue in QUEUES}
    named |= {f"OIDC_GOOGLE_{field.upper()}" for field in OidcProvider.model_fields}

    assert len(listed) == len(set(listed))
    assert set(listed) >= named
    assert {name for name in listed if name not in named} == {
        name.upper() for name in Settings.model_fields if name != "queue_redis_urls"
    }
