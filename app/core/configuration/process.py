"""Settings of every process."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, SecretStr

from app.core.configuration.group import SettingGroup
from app.core.configuration.strength import weakness
from app.core.configuration.types import AnyCase, Secrets

EXAMPLE_SECRET = "change-me-a-development-secret-that-production-refuses"  # noqa: S105  the published example, refused in production
MINIMUM_SECRET_LENGTH = 32
NEW_SECRET = 'python -c "import secrets; print(secrets.token_urlsafe(48))"'  # noqa: S105  a command

GUESSABLE_FALLBACK = (
    "an earlier key can be guessed, and it still verifies. "
    "Run python -m app secrets rotate, and remove it"
)


class ProcessSettings(SettingGroup):
    """The environment, the secret keys, and the log level of the process."""

    environment: Annotated[Literal["development", "test", "production"], AnyCase] = "development"
    secret_key: SecretStr = SecretStr(EXAMPLE_SECRET)
    secret_key_fallbacks: Secrets = Field([])
    log_level: Annotated[Literal["debug", "info", "warning", "error"], AnyCase] = "info"

    def production_problems(self) -> Iterator[str]:
        if "secret_key" not in self.model_fields_set:
            yield f"SECRET_KEY is missing. Generate one with: {NEW_SECRET}"
        elif reason := _weakness(self.secret_key):
            yield f"SECRET_KEY {reason}. Generate one with: {NEW_SECRET}"
        for earlier in self.secret_key_fallbacks:
            if earlier.get_secret_value() == EXAMPLE_SECRET:
                yield "SECRET_KEY_FALLBACKS has the published example. Remove it"

    def production_warnings(self) -> Iterator[tuple[str, str]]:
        for earlier in self.secret_key_fallbacks:
            if _weakness(earlier):
                yield "SECRET_KEY_FALLBACKS", GUESSABLE_FALLBACK
        if self.log_level == "debug":
            yield "LOG_LEVEL", "debug lines are for developers, and there are many"


def _weakness(secret: SecretStr) -> str | None:
    return weakness(secret.get_secret_value(), min_length=MINIMUM_SECRET_LENGTH)
