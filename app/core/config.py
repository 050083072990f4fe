"""The settings. Only this module reads the environment."""

import os
from functools import cache
from pathlib import Path
from typing import Self

from pydantic import PrivateAttr, ValidationError, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from app.core.configuration.accounts import AccountSettings
from app.core.configuration.database import DatabaseSettings
from app.core.configuration.email import EmailSettings
from app.core.configuration.group import SettingGroup
from app.core.configuration.http import HttpSettings
from app.core.configuration.login_providers import LoginProviderSettings
from app.core.configuration.metrics import MetricsSettings
from app.core.configuration.observability import ObservabilitySettings
from app.core.configuration.process import ProcessSettings
from app.core.configuration.queues import QueueSettings
from app.core.configuration.sources import NamedVariables, contains_name
from app.core.environment import delivered_values, misspelled, read_env_files
from app.core.exceptions import ConfigurationError
from app.core.oidc_settings import OidcProvider

ROOT = Path(__file__).parents[2]
ENV_FILES = (ROOT / ".dev/env", ROOT / ".env")
"""`bin/dev` writes the first while its servers run. The developer's own file takes precedence.

Both belong to the project: the working directory of a process does not matter.
"""

REQUESTS_PER_CONNECTION = 50
"""A connection serves about 25 requests per second, so the last of these waits two seconds."""

AT_ONCE_PER_CONNECTION = 2
"""While one request uses the connection, another one does work that needs none."""

LOOPBACK_HOSTS = ("localhost", "*.localhost", "127.0.0.1", "[::1]")


class Settings(
    ProcessSettings,
    DatabaseSettings,
    QueueSettings,
    EmailSettings,
    AccountSettings,
    LoginProviderSettings,
    HttpSettings,
    MetricsSettings,
    ObservabilitySettings,
    BaseSettings,
):
    """Everything that differs between a laptop and a server. Durations are in seconds."""

    model_config = SettingsConfigDict(
        env_file=ENV_FILES,
        env_file_encoding="utf-8-sig",
        extra="ignore",
        env_ignore_empty=True,
        hide_input_in_errors=True,
        frozen=True,
    )

    _unknown_variables: list[tuple[str, str | None]] = PrivateAttr(default_factory=list)

    @property
    def unknown_variables(self) -> list[tuple[str, str | None]]:
        """Variables that look like settings but are not, each with the most similar setting."""
        return self._unknown_variables

    @property
    def unsafe_choices(self) -> list[tuple[str, str]]:
        """Values that most deployments in production should not have, each with a reason."""
        if self.environment != "production":
            return []
        return [warning for group in _groups() for warning in group.production_warnings(self)]

    @property
    def served_hosts(self) -> list[str]:
        """The hosts that requests may name. An empty list, in tests only, allows every host.

        In development, these are names of the machine itself. This prevents DNS rebinding: a web
        page whose host name resolves to 127.0.0.1 cannot read responses of a developer's service.
        """
        if self.environment == "test" and not self.allowed_hosts:
            return []
        own = LOOPBACK_HOSTS if self.environment == "development" else ()
        return [self.public_url.host or "", *own, *self.allowed_hosts]

    @property
    def https_only(self) -> bool:
        return self.environment == "production" and self.public_url.scheme == "https"

    @property
    def serves_docs(self) -> bool:
        """The value of API_DOCS. The default is true except in production."""
        return self.environment != "production" if self.api_docs is None else self.api_docs

    @property
    def request_limit(self) -> int:
        """The number of requests that may be in flight: the database serves them within seconds."""
        return (
            self.max_requests_in_flight or REQUESTS_PER_CONNECTION * self.max_database_connections
        )

    @property
    def requests_at_once(self) -> int:
        """The number of requests that are processed at once. The others in flight wait."""
        return AT_ONCE_PER_CONNECTION * self.max_database_connections

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003  pydantic-settings defines the signature
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        files, process = _read_variables(dotenv_settings), _read_variables(env_settings)
        named = NamedVariables(settings_cls, files | process)
        return init_settings, env_settings, dotenv_settings, named

    @model_validator(mode="after")
    def _reject_an_unsafe_production(self) -> Self:
        if self.environment == "production":
            problems = [line for group in _groups() for line in group.production_problems(self)]
            if problems:
                raise ValueError("\n".join(problems))
        return self


@cache
def load_settings() -> Settings:
    """Read the environment once.

    Raises ConfigurationError, which ends the process, with one line for each invalid variable.
    """
    names = [*read_env_files(_env_files()), *os.environ]
    others = [name for name in names if not _is_setting(name.lower().removesuffix("_file"))]
    unknown = misspelled(others, Settings.model_fields)
    try:
        settings = Settings()
    except ValidationError as error:
        lines = [_describe(details) for details in error.errors(include_input=False)]
        raise ConfigurationError("\n".join(lines)) from None
    for name, similar in unknown:
        # The default of ENVIRONMENT allows the published secret key, unlike any other default.
        if similar == "ENVIRONMENT" and "environment" not in settings.model_fields_set:
            raise ConfigurationError(f"{name} is not a setting. Did you mean ENVIRONMENT?")
    settings.unknown_variables.extend(unknown)
    return settings


def _groups() -> list[type[SettingGroup]]:
    return [group for group in Settings.__bases__ if issubclass(group, SettingGroup)]


def _read_variables(source: PydanticBaseSettingsSource) -> dict[str, str | None]:
    """Clean the values of a source, and return them. See `delivered_values`."""
    if not isinstance(source, EnvSettingsSource):
        return {}
    values = delivered_values(source.env_vars, is_setting=_is_setting, folder=ROOT)
    source.env_vars = values
    return values


def _is_setting(name: str) -> bool:
    name = name.lower()
    return name in Settings.model_fields or contains_name(name)


def _env_files() -> tuple[Path, ...]:
    files = Settings.model_config.get("env_file")
    return tuple(Path(str(file)) for file in files) if isinstance(files, tuple) else ()


def _describe(error: ErrorDetails) -> str:
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
