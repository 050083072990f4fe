"""The base of all groups of settings."""

from collections.abc import Iterator

from pydantic import BaseModel, ConfigDict


class SettingGroup(BaseModel):
    """Settings of one subject. A group reports which of its values are unsafe in production."""

    # Only Settings, which inherits all groups, is ever built.
    model_config = ConfigDict(defer_build=True)

    def production_problems(self) -> Iterator[str]:
        """Yield why production must not start. Each line names a setting and the fix."""
        yield from ()

    def production_warnings(self) -> Iterator[tuple[str, str]]:
        """Yield the settings that most deployments should not have, each with a reason."""
        yield from ()
