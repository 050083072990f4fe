"""A new migration, which follows the last one."""

import ast
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

from dev.new import source
from dev.new.errors import NewError
from dev.new.tree import Tree


@dataclass(frozen=True, slots=True)
class Migration:
    """The header of a migration, as Alembic writes it."""

    message: str
    revision: str
    down_revision: str
    created_at: datetime

    @classmethod
    def after_the_last(cls, tree: Tree, message: str) -> Self:
        """Follow the only head. Raise NewError if there are several."""
        revisions, revised = set[str](), set[str]()
        for file in tree.files("alembic/versions/*.py"):
            revisions |= tree.inspect(file, _strings, "revision")
            revised |= tree.inspect(file, _strings, "down_revision")
        match sorted(revisions - revised):
            case [head]:
                return cls(message, secrets.token_hex(6), head, datetime.now(UTC))
            case heads:
                raise NewError(
                    f"alembic/versions has {len(heads)} heads. First join them with "
                    "`.venv/bin/alembic merge heads`."
                )

    @property
    def file(self) -> str:
        """The path, as alembic.ini defines it."""
        slug = re.sub(r"\W+", "_", self.message)
        return f"alembic/versions/{self.created_at:%Y%m%d}_{self.revision}_{slug}.py"


def _strings(text: str, name: str) -> set[str]:
    value = source.value_of(text, name)
    constants = ast.walk(value) if value else []
    return {
        each.value
        for each in constants
        if isinstance(each, ast.Constant) and isinstance(each.value, str)
    }
