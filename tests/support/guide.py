"""Follow a guide in setup.md. A fenced block with a title is a new file or a change of a file."""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.support.servers import ROOT

BLOCK = re.compile(r'^```(\w+) title="([^"]+)"\n(.*?)^```$', re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Step:
    """A block of a guide: the text of a new file, or the hunks of a diff, separated by `@@`."""

    language: str
    file: str
    text: str

    def apply(self, project: Path) -> None:
        """Apply the block. Raise AssertionError if it does not match the project."""
        path = project / self.file
        if self.language == "diff":
            for hunk in self.text.split("@@\n"):
                path.write_text(self._changed(path.read_text(), hunk.splitlines()))
        else:
            assert not path.exists(), f"{self.file} is not new"
            path.write_text(self.text)

    def _changed(self, text: str, hunk: list[str]) -> str:
        before = "".join(f"\n{line[1:]}" for line in hunk if not line.startswith("+")) + "\n"
        after = "".join(f"\n{line[1:]}" for line in hunk if not line.startswith("-")) + "\n"
        count = f"\n{text}".count(before)
        assert count == 1, f"{self.file} holds these lines {count} times:{before}"
        return f"\n{text}".replace(before, after)[1:]


def follow_guide(title: str, place: Path) -> Path:
    """Copy the project, and follow a section of setup.md in the copy."""
    copy_the_project(place)
    for step in steps_of(title):
        step.apply(place)
    return place


def steps_of(title: str) -> list[Step]:
    manual = (ROOT / "setup.md").read_text()
    [section] = re.findall(
        rf"^## {re.escape(title)}$(.*?)(?=^## |\Z)", manual, re.MULTILINE | re.DOTALL
    )
    steps = [Step(*block) for block in BLOCK.findall(section)]
    assert steps, f"{title} says nothing to do"
    return steps


def copy_the_project(place: Path) -> None:
    """Copy the checkout with its uncommitted changes, but without ignored files.

    Compiled Python is included, because it halves the time of a start.
    """
    ignored = {".git", *(ROOT / ".gitignore").read_text().replace("/", "").split()}
    ignored -= {"__pycache__", "*.py[cod]"}
    shutil.copytree(ROOT, place, ignore=shutil.ignore_patterns(*ignored))
