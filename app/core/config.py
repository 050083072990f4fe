"""Settings: the only reader of the environment."""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    EmailStr,
    Field,
    HttpUrl,
    NameEmail,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from app.core.oidc_settings import OidcProvider, OidcProviders, providers_of

ENV_FILES = (".dev/env", ".env")
"""`bin/dev` writes the first while its servers run; the developer's own file wins over it."""

EXAMPLE_SECRET = "change-me-a-development-secret-that-production-refuses"  # noqa: S105  the published example, refused in production
MINIMUM_SECRET_LENGTH = 32
NEW_SECRET = 'python -c "import secrets; print(secrets.token_urlsafe(48))"'  # noqa: S105  a command


class ConfigurationError(SystemExit):
    """A setting is missing or unusable: the process ends and says which one, and the cure.

    The message never holds the value: it may be a secret, and stderr is often kept.
    """


def _postgres_url(value: str) -> str:
    """Accept what hosting providers hand out; asyncpg says `ssl` where libpq says `sslmode`."""
    url = re.sub(r"^(postgres|postgresql)://", "postgresql+asyncpg://", value)
    url = re.sub(r"([?&])sslmode=", r"\1ssl=", url)
    if not url.startswith("postgresql+asyncpg://"):
        raise ValueError("must start with postgresql://")
    return url


def _redis_url(value: str) -> str:
    if urlsplit(value).scheme not in {"redis", "rediss", "unix"}:
        raise ValueError("must start with redis://, rediss:// or unix://")
    return value


def _comma_separated(value: str | list[str]) -> list[str]:
    if isinstance(value, str):
        return [item.strip() for item in value.split(",") if item.strip()]
    return value


def _origins(values: list[str]) -> list[str]:
    """Refuse what no browser sends as its Origin, and so would never match."""
    if not all(re.fullmatch(r"\*|https?://[^/\s@]+", value) for value in values):
        raise ValueError("must be origins such as https://app.example.com, without a path")
    return values


def _hosts(values: list[str]) -> list[str]:
    hosts = [value.lower() for value in values]
    if not all(re.fullmatch(r"(\*\.)?[a-z0-9_.-]+|\[[0-9a-f:.]+\]", host) for host in hosts):
        raise ValueError("must be host names, without scheme and port, or such as *.example.com")
    return hosts


PostgresUrl = Annotated[str, BeforeValidator(_postgres_url)]
RedisUrl = Annotated[str, BeforeValidator(_redis_url)]
Origins = Annotated[
    list[str], NoDecode, BeforeValidator(_comma_separated), AfterValidator(_origins)
]
Hosts = Annotated[list[str], NoDecode, BeforeValidator(_comma_separated), AfterValidator(_hosts)]
Networks = Annotated[list[IPv4Network | IPv6Network], NoDecode, BeforeValidator(_comma_separated)]


class Settings(BaseSettings):
    """Everything that differs between a laptop and a server. Durations are in seconds."""

    model_config = SettingsConfigDict(
        env_file=ENV_FILES,
        extra="ignore",
        env_ignore_empty=True,
        hide_input_in_errors=True,
        frozen=True,
    )

    environment: Literal["development", "test", "production"] = "development"
    secret_key: SecretStr = SecretStr(EXAMPLE_SECRET)
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    database_url: PostgresUrl = Field(
        "postgresql+asyncpg://postgres:postgres@localhost:5432/fastapi_db", repr=False
    )
    database_pool_size: PositiveInt = 10
    database_max_overflow: int = Field(5, ge=0)
    database_pool_timeout: PositiveFloat = 3
    database_connect_timeout: PositiveFloat = 5
    database_command_timeout: PositiveFloat = 8
    database_statement_timeout: PositiveFloat = 5
    database_lock_timeout: PositiveFloat = 2
    database_idle_in_transaction_timeout: PositiveFloat = 10

    redis_url: RedisUrl = Field("redis://localhost:6379", repr=False)
    queue_redis_urls: dict[str, RedisUrl] = Field(default_factory=dict, repr=False)
    redis_timeout: PositiveFloat = 2

    worker_grace_period: PositiveInt = 30
    job_result_ttl: PositiveInt = 86_400

    smtp_host: str = "localhost"
    smtp_port: int = Field(1025, ge=1, le=65_535)
    smtp_user: str | None = None
    smtp_password: SecretStr | None = None
    smtp_tls: Literal["none", "starttls", "tls"] = "none"
    smtp_timeout: PositiveFloat = 10
    mail_from: NameEmail = NameEmail("FastAPI Boilerplate", "noreply@example.com")

    access_token_lifetime: PositiveInt = 900
    session_lifetime: PositiveInt = 2_592_000
    password_min_length: int = Field(8, ge=8, le=64)
    login_requires_verified_email: bool = False
    superusers_need_second_factor: bool = False
    verification_link_lifetime: PositiveInt = 86_400
    recovery_link_lifetime: PositiveInt = 3_600
    invitation_link_lifetime: PositiveInt = 604_800
    throttle_attempts: PositiveInt = 10
    throttle_attempts_per_address: PositiveInt = 10
    throttle_window: int = Field(900, ge=1, le=900)
    first_superuser_email: EmailStr | None = None
    first_superuser_password: SecretStr | None = None

    oidc_providers: OidcProviders = Field(default_factory=dict, repr=False)
    oidc_login_lifetime: PositiveInt = 600
    oidc_timeout: PositiveFloat = 5

    public_url: HttpUrl = HttpUrl("http://localhost:8000")
    front_end_url: HttpUrl | None = None
    allowed_hosts: Hosts = []
    trusted_proxies: Networks = []
    cors_origins: Origins = []
    cors_credentials: bool = False
    max_body_size: PositiveInt = 1_048_576
    body_timeout: PositiveFloat = 20
    api_docs: bool | None = None
    health_timeout: PositiveFloat = 2
    shutdown_delay: NonNegativeFloat = 2

    @property
    def public_origin(self) -> str:
        """PUBLIC_URL as a browser names it in its Origin header."""
        url = urlsplit(str(self.public_url))
        return f"{url.scheme}://{url.netloc.rpartition('@')[2]}"

    @property
    def served_hosts(self) -> list[str]:
        """The hosts that requests may name; none means any, which production never has."""
        if self.environment != "production" and not self.allowed_hosts:
            return []
        return [self.public_url.host or "", *self.allowed_hosts]

    @property
    def serves_docs(self) -> bool:
        """What API_DOCS says; else, everywhere but in production."""
        return self.environment != "production" if self.api_docs is None else self.api_docs

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003  the signature is theirs
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        variables = _variables_of(dotenv_settings) | _variables_of(env_settings)
        named = NamedVariables(settings_cls, variables)
        return init_settings, env_settings, dotenv_settings, named

    @model_validator(mode="after")
    def _refuse_an_unsafe_production(self) -> Self:
        if self.environment == "production" and (problems := [*_production_problems(self)]):
            raise ValueError("\n".join(problems))
        return self


class NamedVariables(PydanticBaseSettingsSource):
    """Variables with a name in them: a new queue or provider needs no new field.

    `QUEUE_<NAME>_REDIS_URL` becomes `queue_redis_urls[name]`, `OIDC_<NAME>_ISSUER` the issuer of
    `oidc_providers[name]`.
    """

    def __init__(
        self, settings_cls: type[BaseSettings], variables: Mapping[str, str | None]
    ) -> None:
        super().__init__(settings_cls)
        urls = {
            match[1]: url
            for name, url in variables.items()
            if url and (match := re.fullmatch(r"queue_(\w+)_redis_url", name))
        }
        found = {"queue_redis_urls": urls, "oidc_providers": providers_of(variables)}
        self._values = {field: value for field, value in found.items() if value}

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002
        return self._values.get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        return self._values


@cache
def load_settings() -> Settings:
    """Read the environment once.

    Raises ConfigurationError (which ends the process) with one line per unusable variable.
    """
    try:
        return Settings()
    except ValidationError as error:
        lines = [_explain(details) for details in error.errors(include_input=False)]
        raise ConfigurationError("\n".join(lines)) from None


def _variables_of(source: PydanticBaseSettingsSource) -> dict[str, str | None]:
    return dict(source.env_vars) if isinstance(source, EnvSettingsSource) else {}


def _explain(error: ErrorDetails) -> str:
    message = error["msg"].removeprefix("Value error, ")
    match error["loc"]:
        case ("queue_redis_urls", name, *_):
            return f"QUEUE_{str(name).upper()}_REDIS_URL {message}"
        case ("oidc_providers", name, field) if field in OidcProvider.model_fields:
            return f"OIDC_{name}_{field}".upper() + f": {message}"
        case (field, *_):
            return f"{str(field).upper()}: {message}"
        case _:
            return message


def _production_problems(settings: Settings) -> Iterator[str]:
    yield from _secret_problems(settings)
    yield from _password_problems(settings)
    if "public_url" not in settings.model_fields_set:
        yield "PUBLIC_URL is missing. Set it to the address that people see: https://example.com"
    for name, provider in settings.oidc_providers.items():
        if urlsplit(provider.issuer).scheme != "https":
            yield f"OIDC_{name.upper()}_ISSUER must start with https://"
    if "*" in settings.cors_origins and settings.cors_credentials:
        yield (
            "CORS_ORIGINS is * while CORS_CREDENTIALS is on: any site could act as your users. "
            "List the origins of your own front ends"
        )


def _secret_problems(settings: Settings) -> Iterator[str]:
    secret = settings.secret_key.get_secret_value()
    if "secret_key" not in settings.model_fields_set:
        yield f"SECRET_KEY is missing. Generate one with: {NEW_SECRET}"
    elif secret == EXAMPLE_SECRET:
        yield f"SECRET_KEY is the published example. Generate your own with: {NEW_SECRET}"
    elif len(secret) < MINIMUM_SECRET_LENGTH:
        problem = f"SECRET_KEY is shorter than {MINIMUM_SECRET_LENGTH} characters"
        yield f"{problem}. Generate one with: {NEW_SECRET}"


def _password_problems(settings: Settings) -> Iterator[str]:
    postgres, redis = "postgresql://user:password@host/database", "redis://:password@host:6379"
    urls = {
        "DATABASE_URL": (settings.database_url, postgres),
        "REDIS_URL": (settings.redis_url, redis),
    } | {
        f"QUEUE_{name.upper()}_REDIS_URL": (url, redis)
        for name, url in settings.queue_redis_urls.items()
    }
    for variable, (url, example) in urls.items():
        if variable.lower() in Settings.model_fields.keys() - settings.model_fields_set:
            yield f"{variable} is missing. Set it to {example}"
        elif not urlsplit(url).password:
            yield f"{variable} has no password. Set it to {example}"
