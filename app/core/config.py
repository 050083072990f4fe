"""The settings: the only module that reads the environment."""

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
"""A connection serves tens of requests per second: the last of these waits about two seconds."""

AT_ONCE_PER_CONNECTION = 2
"""While one request uses the connection, another is prepared or answered."""

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
        """Variables that look like settings and are none, each with the setting it resembles."""
        return self._unknown_variables

    @property
    def unsafe_choices(self) -> list[tuple[str, str]]:
        """Settings of this production that most deployments should not have, each with a reason."""
        if self.environment != "production":
            return []
        return [warning for group in _groups() for warning in group.production_warnings(self)]

    @property
    def served_hosts(self) -> list[str]:
        """The hosts that requests may name. An empty list means any, in tests only.

        In development they are names of the machine itself: a web page that lets its own name lead
        to 127.0.0.1 must not read what a developer's service answers.
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
        """The value of API_DOCS; without it, true everywhere but in production."""
        return self.environment != "production" if self.api_docs is None else self.api_docs

    @property
    def request_limit(self) -> int:
        """How many requests may be in flight: as many as the database serves within seconds."""
        return (
            self.max_requests_in_flight or REQUESTS_PER_CONNECTION * self.max_database_connections
        )

    @property
    def requests_at_once(self) -> int:
        """How many requests are worked on at once. The others in flight wait for their turn."""
        return AT_ONCE_PER_CONNECTION * self.max_database_connections

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003  the signature is theirs
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


def _groups() -> list[type[SettingGroup]]:
    return [group for group in Settings.__bases__ if issubclass(group, SettingGroup)]


@cache
def load_settings() -> Settings:
    """Read the environment once.

    Raise ConfigurationError, which ends the process, with one line per unusable variable.
    """
    names = [*read_env_files(_env_files()), *os.environ]
    others = [name for name in names if not _is_setting(name.lower().removesuffix("_file"))]
    unknown = misspelled(others, Settings.model_fields)
    try:
        settings = Settings()
    except ValidationError as error:
        lines = [_explain(details) for details in error.errors(include_input=False)]
        raise ConfigurationError("\n".join(lines)) from None
    for name, similar in unknown:
        # Any other misspelled setting keeps its default. This one keeps the published secret.
        if similar == "ENVIRONMENT" and "environment" not in settings.model_fields_set:
            raise ConfigurationError(f"{name} is not a setting. Did you mean ENVIRONMENT?")
    settings.unknown_variables.extend(unknown)
    return settings


def _env_files() -> tuple[Path, ...]:
    files = Settings.model_config.get("env_file")
    return tuple(Path(str(file)) for file in files) if isinstance(files, tuple) else ()


def _read_variables(source: PydanticBaseSettingsSource) -> dict[str, str | None]:
    """Let a source use the values without what their delivery added, and return them."""
    if not isinstance(source, EnvSettingsSource):
        return {}
    values = delivered_values(source.env_vars, is_setting=_is_setting, folder=ROOT)
    source.env_vars = values
    return values


def _is_setting(name: str) -> bool:
    name = name.lower()
    return name in Settings.model_fields or contains_name(name)


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
