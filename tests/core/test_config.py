import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path

import pytest
from pydantic import ValidationError

from app.core.config import Settings, load_settings
from app.core.configuration.process import EXAMPLE_SECRET
from app.core.configuration.strength import weakness
from app.core.exceptions import ConfigurationError
from app.core.logging import configure_logging
from dev.docs.settings import entries_of
from tests.support.secrets import STRONG_SECRET

Start = Callable[..., Settings]

ROOT = Path(__file__).parents[2]

SAFE = {
    "ENVIRONMENT": "production",
    "SECRET_KEY": STRONG_SECRET,
    "DATABASE_URL": "postgresql://service:hV7qLwX2@db/service",
    "REDIS_URL": "redis://:m9RtKc4z@redis:6379",
    "PUBLIC_URL": "https://service.example.com",
    "OIDC_ACME_ISSUER": "https://acme.example.com",
    "OIDC_ACME_CLIENT_ID": "our-id",
    "OIDC_ACME_CLIENT_SECRET": "Yd3-GpTn8w",
}

TUTORIAL_SECRET = "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7"

SECRETS = {
    *("SECRET_KEY", "DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL", "QUEUE_EMAIL_REDIS_URL"),
    *("OIDC_ACME_CLIENT_SECRET", "FIRST_SUPERUSER_PASSWORD", "SMTP_PASSWORD"),
}


@pytest.fixture(autouse=True)
def _environment_of_the_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read the variables and the settings files of this test, not those of this machine."""
    for name in os.environ.keys() - {"PYTEST_CURRENT_TEST"}:
        monkeypatch.delenv(name)
    files = (tmp_path / ".dev/env", tmp_path / ".env")
    monkeypatch.setitem(Settings.model_config, "env_file", files)


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
        ({"SECRET_KEY": EXAMPLE_SECRET}, "SECRET_KEY is a placeholder. Generate"),
        ({"SECRET_KEY": "Zr8#kW"}, "SECRET_KEY is shorter than 32 characters. Generate"),
        ({"DATABASE_URL": None}, "DATABASE_URL is missing. Set it to postgresql://"),
        ({"DATABASE_URL": "postgresql://service@db/service"}, "DATABASE_URL has no password. Set"),
        ({"REDIS_URL": None}, "REDIS_URL is missing. Set it to redis://"),
        ({"REDIS_URL": "redis://redis:6379"}, "REDIS_URL has no password. Set it to redis://"),
        ({"QUEUE_EMAIL_REDIS_URL": "redis://mail"}, "QUEUE_EMAIL_REDIS_URL has no password. Set"),
        ({"OIDC_ACME_ISSUER": "http://acme.example.com"}, "OIDC_ACME_ISSUER must start with https"),
        (
            {"BREACHED_PASSWORDS_URL": "http://breaches.example.com/range"},
            "BREACHED_PASSWORDS_URL must start with https://",
        ),
        ({"PUBLIC_URL": None}, "PUBLIC_URL is missing. Set it to the address of the service"),
        ({"SECRET_KEY": "k" * 48}, "SECRET_KEY repeats itself. Generate"),
        ({"SECRET_KEY": "abc-" * 12}, "SECRET_KEY repeats itself. Generate"),
        ({"SECRET_KEY": "0123456789abcdefghijklmnopqrstuvwxyz"}, "SECRET_KEY follows a pattern"),
        ({"SECRET_KEY": "1qa2ws3ed4rf5tg6yh7uj8ik9ol0p1qa2ws3ed4rf"}, "SECRET_KEY"),
        ({"SECRET_KEY": "qwertyuiopasdfghjklzxcvbnm1234567890"}, "SECRET_KEY follows a pattern"),
        ({"SECRET_KEY": TUTORIAL_SECRET}, "SECRET_KEY is published. Generate"),
        ({"SECRET_KEY": "my-very-Secret-key-for-the-shop-2026"}, "SECRET_KEY is a placeholder"),
        (
            {"DATABASE_URL": "postgresql://postgres:postgres@db/app"},
            "The password in DATABASE_URL repeats the name beside it. Use one",
        ),
        (
            {"DATABASE_URL": "postgresql://service:shop2026@db/shop"},
            "The password in DATABASE_URL repeats the name beside it. Use one",
        ),
        (
            {"DATABASE_OWNER_URL": "postgresql://owner:changethis@db/app"},
            "The password in DATABASE_OWNER_URL is a placeholder. Use one",
        ),
        (
            {"REDIS_URL": "redis://:foobared@redis:6379"},
            "The password in REDIS_URL is published. Use one",
        ),
        (
            {"QUEUE_EMAIL_REDIS_URL": "redis://:the-s%65cret@redis:6379"},
            "The password in QUEUE_EMAIL_REDIS_URL is a placeholder. Use one",
        ),
        (
            {"FIRST_SUPERUSER_PASSWORD": "changethis"},
            "FIRST_SUPERUSER_PASSWORD is a placeholder. Use one",
        ),
        (
            {"OIDC_ACME_CLIENT_SECRET": "your-client"},
            "OIDC_ACME_CLIENT_SECRET is a placeholder. Use one",
        ),
        (
            {"SMTP_PASSWORD": "qwertyui", "SMTP_TLS": "tls"},
            "SMTP_PASSWORD is published. Use one",
        ),
        (
            {"SMTP_PASSWORD": "vK4-Zr8wQe", "SMTP_HOST": "smtp.shop.dev"},
            "SMTP_TLS is none, so SMTP_PASSWORD would be readable. Set it to starttls or tls",
        ),
        ({"TRUSTED_PROXIES": "0.0.0.0/0"}, "TRUSTED_PROXIES has 0.0.0.0/0, so any client could"),
        ({"TRUSTED_PROXIES": "10.0.0.1,::/0"}, "TRUSTED_PROXIES has ::/0, so any client could"),
        (
            {"TRUSTED_PROXIES": "128.0.0.0/1"},
            "TRUSTED_PROXIES has 128.0.0.0/1, so any client could",
        ),
        ({"ALLOWED_HOSTS": "*.com"}, "ALLOWED_HOSTS has *.com, a whole top-level domain"),
        (
            {"CORS_ORIGINS": "http://shop.dev", "CORS_CREDENTIALS": "true"},
            "CORS_ORIGINS has http://shop.dev while CORS_CREDENTIALS is on",
        ),
        (
            {"CORS_ORIGINS": "*", "CORS_CREDENTIALS": "true"},
            "CORS_ORIGINS is * while CORS_CREDENTIALS is on",
        ),
    ],
    ids=lambda value: "" if isinstance(value, str) else next(iter(value)),
)
def test_an_unsafe_production_does_not_start_and_one_line_names_the_cure(
    start: Start, change: dict[str, str | None], cure: str
) -> None:
    with pytest.raises(ConfigurationError) as rejection:
        start(**SAFE | change)

    message = str(rejection.value)
    assert message.startswith(cure)
    assert "\n" not in message
    for name, value in (SAFE | change).items():
        assert value is None or name not in SECRETS or value not in message


PUBLISHED = re.compile(
    r"(?:SECRET_KEY\w*|\w*PASSWORD|\w*CLIENT_SECRET)[=:] ?(?P<value>[^\s\"'`|$]+)"
    r"|[a-z+]+://[^\s:/@]*:(?P<password>[^\s@/`]+)@[\w.-]+"
)


def test_no_secret_of_the_documents_and_examples_can_be_used_in_production() -> None:
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), ROOT / ".env.example"]
    pages += [ROOT / "docker-compose.yml", *ROOT.glob("app/core/configuration/*.py")]
    found = {
        match["value"] or match["password"]
        for page in pages
        for match in PUBLISHED.finditer(page.read_text())
    }

    assert {EXAMPLE_SECRET, "password", "postgres"} <= found
    usable = {value for value in found if not weakness(value, min_length=8, known=["postgres"])}
    assert {value for value in usable if not value.startswith(("$", "/", "{"))} == set()


@pytest.mark.parametrize(
    ("change", "variable"),
    [
        ({"PUBLIC_URL": "http://shop.dev"}, "PUBLIC_URL"),
        ({"FRONT_END_URL": "http://app.shop.dev"}, "FRONT_END_URL"),
        ({"CORS_ORIGINS": "http://localhost:3000"}, "CORS_ORIGINS"),
        ({"MAIL_FROM": "noreply@example.com"}, "MAIL_FROM"),
        ({"LOG_LEVEL": "debug"}, "LOG_LEVEL"),
    ],
)
def test_a_value_that_only_some_deployments_need_causes_a_warning_with_its_reason(
    start: Start, change: dict[str, str], variable: str, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging(start(**SAFE | {"MAIL_FROM": "noreply@shop.dev"} | change))

    [line] = [line for line in capsys.readouterr().err.splitlines() if "setting.unsafe" in line]
    assert f'"variable": "{variable}"' in line
    assert '"level": "warning"' in line


def test_a_developer_is_not_warned(start: Start) -> None:
    assert start(PUBLIC_URL="http://shop.dev").unsafe_choices == []


@pytest.mark.parametrize(
    "change",
    [
        {"SMTP_HOST": "localhost", "SMTP_PASSWORD": "vK4-Zr8wQe"},
        {"TRUSTED_PROXIES": "10.0.0.0/8,172.16.0.0/12,fd00::/16"},
        {"CORS_ORIGINS": "https://app.shop.dev", "CORS_CREDENTIALS": "true"},
        {"ALLOWED_HOSTS": "*.shop.dev"},
        {"SECRET_KEY": "7f1c90b2d83e5a4611c8fe073bd962af"},
    ],
)
def test_a_careful_production_starts(start: Start, change: dict[str, str]) -> None:
    assert start(**SAFE | change).environment == "production"


def test_every_unsafe_setting_gets_its_own_line(start: Start) -> None:
    with pytest.raises(ConfigurationError) as rejection:
        start(ENVIRONMENT="production")

    lines = str(rejection.value).splitlines()
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
    with pytest.raises(ConfigurationError) as rejection:
        start(**{variable: value})

    assert str(rejection.value).startswith(variable)
    assert value not in str(rejection.value)


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("postgres://a:b@c/d", "postgresql+asyncpg://a:b@c/d"),
        ("postgresql://a:b@c/d", "postgresql+asyncpg://a:b@c/d"),
        ("postgresql+asyncpg://a:b@c/d", "postgresql+asyncpg://a:b@c/d"),
        ("postgres://a:b@c/d?sslmode=require", "postgresql+asyncpg://a:b@c/d?sslmode=require"),
    ],
)
def test_the_database_urls_of_hosting_providers_are_understood(given: str, used: str) -> None:
    assert Settings(database_url=given).database_url == used


def test_a_queue_may_have_its_own_redis(start: Start) -> None:
    settings = start(QUEUE_EMAIL_REDIS_URL="redis://:pa55word@mail-redis:6379/7")

    assert settings.queue_redis_urls == {"email": "redis://:pa55word@mail-redis:6379/7"}


def test_a_provider_is_named_by_its_variables(start: Start) -> None:
    acme = start(**SAFE).oidc_providers["acme"]

    assert (acme.issuer, acme.client_id) == ("https://acme.example.com", "our-id")
    assert acme.client_secret.get_secret_value() == "Yd3-GpTn8w"


def test_the_secret_of_a_provider_may_have_its_own_variable(start: Start) -> None:
    providers = start(
        OIDC_PROVIDERS='{"acme": {"issuer": "https://acme.example.com", "client_id": "our-id"}}',
        OIDC_ACME_CLIENT_SECRET="pa55word",
    ).oidc_providers

    assert providers["acme"].client_id == "our-id"
    assert providers["acme"].client_secret.get_secret_value() == "pa55word"


def test_a_missing_setting_of_a_provider_is_named(start: Start) -> None:
    with pytest.raises(ConfigurationError) as rejection:
        start(OIDC_ACME_ISSUER="https://acme.example.com", OIDC_ACME_CLIENT_ID="our-id")

    assert str(rejection.value) == "OIDC_ACME_CLIENT_SECRET: Field required"


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
def test_the_public_origin_has_the_form_that_browsers_send(
    start: Start, url: str, origin: str
) -> None:
    assert start(PUBLIC_URL=url).public_origin == origin


def test_the_file_of_the_developer_takes_precedence_over_that_of_running_servers(
    start: Start, tmp_path: Path
) -> None:
    (tmp_path / ".dev").mkdir()
    (tmp_path / ".dev/env").write_text("SMTP_PORT=1111\nSMTP_HOST=caught.example.com\n")
    (tmp_path / ".env").write_text("SMTP_PORT=2222\nQUEUE_BASE_REDIS_URL=redis://:x@own\n")

    settings = start()

    assert (settings.smtp_host, settings.smtp_port) == ("caught.example.com", 2222)
    assert settings.queue_redis_urls == {"base": "redis://:x@own"}


def test_settings_belong_to_the_project_in_any_working_directory(tmp_path: Path) -> None:
    project = tmp_path / "project"
    shutil.copytree(ROOT / "app", project / "app")
    (project / ".env").write_text("ENVIRONMENT=test\nSMTP_HOST=from-the-project\n")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / ".env").write_text("SMTP_HOST=from-elsewhere\n")

    show = "from app.core.config import load_settings as s; print(s().environment, s().smtp_host)"
    shown = subprocess.run(  # noqa: S603  this Python
        [sys.executable, "-c", show],
        cwd=elsewhere,
        env={"PYTHONPATH": str(project)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout.split() == ["test", "from-the-project"]


@pytest.mark.parametrize(
    "value",
    [
        "smtp.example.com",
        "'smtp.example.com'",
        '"smtp.example.com"',
        "smtp.example.com\r\n",
        "  smtp.example.com  ",
        "\ufeffsmtp.example.com",
    ],
    ids=repr,
)
def test_quotes_and_line_endings_around_a_value_are_removed(start: Start, value: str) -> None:
    assert start(SMTP_HOST=value).smtp_host == "smtp.example.com"


@pytest.mark.parametrize("value", ["it's", '"a" or "b"', "'", '"'], ids=repr)
def test_quotes_that_belong_to_a_password_stay(start: Start, value: str) -> None:
    password = start(SMTP_PASSWORD=value).smtp_password
    assert password is not None
    assert password.get_secret_value() == value


@pytest.mark.parametrize(
    "content",
    [
        b"SMTP_HOST=smtp.example.com\nSMTP_PORT=25\n",
        b"SMTP_HOST=smtp.example.com\r\nSMTP_PORT=25\r\n",
        b"\xef\xbb\xbfSMTP_HOST=smtp.example.com\nSMTP_PORT=25\n",
        b"export SMTP_HOST='smtp.example.com'\nsmtp_port = \"25\"",
    ],
    ids=["Unix", "Windows", "byte-order mark", "shell"],
)
def test_settings_files_of_every_editor_are_read(
    start: Start, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / ".env").write_bytes(content)

    settings = start()
    assert (settings.smtp_host, settings.smtp_port) == ("smtp.example.com", 25)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("ENVIRONMENT=production\n".encode("utf-16"), "is not UTF-8 text. Save it as UTF-8"),
        (b"SMTP_PORT=25\nENVIRONMENT: production\n", "line 2: write NAME=value"),
        (b"SECRET_KEY='unclosed\nENVIRONMENT=production\n", "line 1: write NAME=value"),
    ],
    ids=["UTF-16", "a colon", "an open quote"],
)
def test_a_settings_file_that_cannot_be_understood_stops_the_start(
    start: Start, tmp_path: Path, content: bytes, reason: str
) -> None:
    (tmp_path / ".env").write_bytes(content)

    with pytest.raises(ConfigurationError, match=re.escape(reason)):
        start()


@pytest.mark.parametrize("value", ["Production", "PRODUCTION", "production "])
def test_the_letter_case_of_a_choice_does_not_matter(start: Start, value: str) -> None:
    settings = start(**SAFE | {"ENVIRONMENT": value, "LOG_LEVEL": "INFO", "SMTP_TLS": "StartTLS"})

    assert settings.environment == "production"
    assert (settings.log_level, settings.smtp_tls) == ("info", "starttls")


def test_the_letter_case_of_a_name_does_not_matter(start: Start) -> None:
    settings = start(smtp_host="smtp.example.com", Queue_Email_Redis_Url="redis://:x@own")

    assert settings.smtp_host == "smtp.example.com"
    assert settings.queue_redis_urls == {"email": "redis://:x@own"}


def test_every_setting_can_be_read_from_the_file_of_a_secret_manager(
    start: Start, tmp_path: Path
) -> None:
    def secret(value: str) -> str:
        path = tmp_path / f"secret-{value[:4]}"
        path.write_text(f"{value}\n")
        return str(path)

    settings = start(
        SECRET_KEY_FILE=secret(STRONG_SECRET),
        DATABASE_URL_FILE=secret("postgresql://service:hV7qLwX2@db/service"),
        QUEUE_EMAIL_REDIS_URL_FILE=secret("redis://:pa55word@mail"),
        OIDC_ACME_ISSUER="https://acme.example.com",
        OIDC_ACME_CLIENT_ID="our-id",
        OIDC_ACME_CLIENT_SECRET_FILE=secret("Yd3-GpTn8w"),
    )

    assert settings.secret_key.get_secret_value() == STRONG_SECRET
    assert settings.database_url.endswith("://service:hV7qLwX2@db/service")
    assert settings.queue_redis_urls == {"email": "redis://:pa55word@mail"}
    assert settings.oidc_providers["acme"].client_secret.get_secret_value() == "Yd3-GpTn8w"
    assert settings.unknown_variables == []


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({"SECRET_KEY_FILE": "/nothing/here"}, "SECRET_KEY_FILE: cannot read /nothing/here (No su"),
        ({"SECRET_KEY_FILE": "/"}, "SECRET_KEY_FILE: cannot read / (Is a directory)"),
        (
            {"SECRET_KEY_FILE": "/x", "SECRET_KEY": STRONG_SECRET},
            "SECRET_KEY and SECRET_KEY_FILE are b",
        ),
    ],
    ids=["missing", "a folder", "twice"],
)
def test_a_secret_file_that_cannot_be_used_stops_the_start(
    start: Start, variables: dict[str, str], reason: str
) -> None:
    with pytest.raises(ConfigurationError, match="^" + re.escape(reason)):
        start(**variables)


@pytest.mark.parametrize(
    ("variable", "similar"),
    [
        ("SMTP_USERNAME", None),
        ("DATABASE_UR", "DATABASE_URL"),
        ("DATABASE_POOLSIZE", "DATABASE_POOL_SIZE"),
        ("TRUSTED_PROXYS", "TRUSTED_PROXIES"),
        ("SECRETKEY", "SECRET_KEY"),
        ("PUBLICURL", "PUBLIC_URL"),
        ("QUEUE_EMAIL_URL", None),
        ("OIDC_ACME_SECRET", None),
    ],
)
def test_a_misspelled_setting_is_reported_at_startup(
    start: Start, capsys: pytest.CaptureFixture[str], variable: str, similar: str | None
) -> None:
    configure_logging(start(**{variable: "x"}))

    [warning] = capsys.readouterr().err.splitlines()
    assert "[warning  ] setting.ignored" in warning
    assert f"variable={variable}" in warning
    assert similar is None or f"did_you_mean={similar} " in warning


def test_a_misspelled_setting_of_the_settings_file_is_reported_too(
    start: Start, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("SMTP_HSOT=smtp.example.com\n")

    assert start().unknown_variables == [("SMTP_HSOT", "SMTP_HOST")]


def test_other_variables_are_not_reported(start: Start) -> None:
    others = ("PATH_TO_IT", "REDIS_PORT_6379_TCP", "API_SERVICE_HOST", "REDIS_PASSWORD", "PORT")

    assert start(**dict.fromkeys(others, "x")).unknown_variables == []


def test_a_misspelled_environment_does_not_start_in_development(start: Start) -> None:
    variables = {name: value for name, value in SAFE.items() if name != "ENVIRONMENT"}

    with pytest.raises(ConfigurationError, match="Did you mean ENVIRONMENT"):
        start(**variables, ENVIROMENT="production")


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ('"Acme, Inc." <us@example.com>', "Acme, Inc."),
        ("Acme, Inc. <us@example.com>", "Acme, Inc."),
        ('"The \\"Best\\" Shop" <us@example.com>', 'The "Best" Shop'),
        ("Ämter GmbH <us@example.com>", "Ämter GmbH"),
        ("<us@example.com>", ""),
    ],
)
def test_a_sender_is_named_with_or_without_quotes(start: Start, given: str, name: str) -> None:
    mail_from = start(MAIL_FROM=given).mail_from

    assert (mail_from.name, mail_from.email) == (name, "us@example.com")


def test_settings_show_no_secret_when_printed(start: Start) -> None:
    shown = repr(start(**SAFE, SMTP_PASSWORD="Wx6kTbz9Qm", SMTP_TLS="tls"))

    for secret in (STRONG_SECRET, "hV7qLwX2", "m9RtKc4z", "Yd3-GpTn8w", "Wx6kTbz9Qm"):
        assert secret not in shown


def test_settings_cannot_be_changed(start: Start) -> None:
    with pytest.raises(ValidationError, match="frozen"):
        setattr(start(), "smtp_port", 26)  # noqa: B010  mypy knows it, too


def test_the_example_file_lists_every_setting_with_its_default(start: Start) -> None:
    listed = [*entries_of((ROOT / ".env.example").read_text())]
    settings = {each.name: each.example.strip('"') for each in listed if "<NAME>" not in each.name}

    assert settings.keys() == {
        name.upper() for name in Settings.model_fields if name != "queue_redis_urls"
    }
    assert start(**settings).model_dump() == Settings(_env_file=None).model_dump()
