"""The names of a project, which `bin/new project` replaces in a copy."""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from dev.new.errors import InvalidArgument

TITLE = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[ -][A-Za-z0-9]+)*")
MAX_TITLE, MAX_PREFIX = 40, 8


@dataclass(frozen=True, slots=True)
class Identity:
    """The names of a project: its title, package, database, API key prefix, and Redis prefix."""

    title: str
    slug: str
    database: str
    api_key_prefix: str
    redis_prefix: str

    @classmethod
    def of(cls, root: Path) -> Self:
        """Read the names that pyproject.toml lists."""
        document = tomllib.loads((root / "pyproject.toml").read_text())
        return cls(slug=document["project"]["name"], **document["tool"]["new"])

    @classmethod
    def called(cls, title: str, *, taken: set[str]) -> Self:
        """Derive the names from a title. Raise InvalidArgument, also if the slug is taken."""
        if not TITLE.fullmatch(title) or len(title) > MAX_TITLE:
            raise InvalidArgument(
                f"{title!r} cannot be a name: use at most {MAX_TITLE} letters, digits, spaces, "
                "and hyphens, such as Web Shop."
            )
        slug = title.lower().replace(" ", "-")
        if slug in taken:
            raise InvalidArgument(f"{title!r} cannot be a name: the project depends on {slug}.")
        words = slug.split("-")
        short = words[0][:MAX_PREFIX] if len(words) == 1 else "".join(w[0] for w in words)
        return cls(
            title=title,
            slug=slug,
            database=f"{slug.replace('-', '_')}_db",
            api_key_prefix=f"{short[:MAX_PREFIX]}_",
            redis_prefix=f"{slug}:queue:",
        )

    def names(self) -> tuple[str, ...]:
        """Return all names, in the same order for each identity."""
        return (self.title, self.slug, self.database, self.api_key_prefix, self.redis_prefix)
