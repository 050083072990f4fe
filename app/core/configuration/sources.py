"""A source of settings that pydantic-settings does not have."""

import re
from collections.abc import Mapping
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from app.core.oidc_settings import is_provider_variable, providers_of

QUEUE_VARIABLE = re.compile(r"queue_(\w+)_redis_url")


class NamedVariables(PydanticBaseSettingsSource):
    """Reads variables that contain a name, so that a new queue or provider needs no new field.

    `QUEUE_<NAME>_REDIS_URL` becomes `queue_redis_urls[name]`, and `OIDC_<NAME>_ISSUER` becomes the
    issuer of `oidc_providers[name]`.
    """

    def __init__(
        self, settings_cls: type[BaseSettings], variables: Mapping[str, str | None]
    ) -> None:
        super().__init__(settings_cls)
        urls = {
            match[1]: url
            for name, url in variables.items()
            if url and (match := QUEUE_VARIABLE.fullmatch(name))
        }
        found = {"queue_redis_urls": urls, "oidc_providers": providers_of(variables)}
        self._values = {field: value for field, value in found.items() if value}

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002
        return self._values.get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        return self._values


def contains_name(variable: str) -> bool:
    """Return whether a variable, in lower case, is one of `NamedVariables`."""
    return QUEUE_VARIABLE.fullmatch(variable) is not None or is_provider_variable(variable)
