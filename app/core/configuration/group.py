"""What all groups of settings have in common."""

from collections.abc import Iterator

from pydantic import BaseModel


class SettingGroup(BaseModel):
    """Settings of one subject. A group states which of their values are unsafe in production."""

    def production_problems(self) -> Iterator[str]:
        """Yield why a production must not start. Each line names a setting and its cure."""
        yield from ()

    def production_warnings(self) -> Iterator[tuple[str, str]]:
        """Yield the settings that most deployments should not have, each with a reason."""
        yield from ()
