"""The documents of the project and the names in them."""

import re
import subprocess
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from tests.support.servers import ROOT

FENCED = re.compile(r"^ *```(\w*)([^\n]*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
FILE = re.compile(
    r"[\w.*<>-]+(?:/[\w.*<>-]+)*(?:/|\.(?:py|md|toml|yml|lock|txt|json))|\.env(?:\.\w+)?"
)
VARIABLE = re.compile(r"[A-Z]+(?:_(?:[A-Z]+|<NAME>))+")
ROUTE = re.compile(
    r"(?:(GET|POST|PUT|PATCH|DELETE) )?(/(?!api/v1$)[a-z][\w/{}<>-]*)(?:\?refresh_token=\w+)?"
)


@dataclass(frozen=True)
class Block:
    """A fenced block: commands, their output, or code. A title names the file of the code."""

    language: str
    title: str
    text: str


@dataclass(frozen=True)
class Page:
    """A document in Markdown."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.relative_to(ROOT).as_posix()

    @cached_property
    def text(self) -> str:
        return self.path.read_text()

    @cached_property
    def prose(self) -> str:
        return FENCED.sub("", self.text)

    @property
    def links(self) -> list[str]:
        return LINK.findall(self.prose)

    def anchors_of(self, first: int = 1, last: int = 6) -> list[str]:
        """Return the fragments that GitHub gives to the headings of these levels, in order."""
        headings = re.findall(rf"^#{{{first},{last}}} (.+)$", self.prose, re.MULTILINE)
        return [re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings]

    @property
    def contents(self) -> list[str]:
        """The headings that its table of contents links to."""
        return re.findall(r"^ *- \[[^\]]+\]\(#([^)]+)\)", self._top, re.MULTILINE)

    @property
    def lists_subsections(self) -> bool:
        return "\n  - [" in self._top

    @property
    def _top(self) -> str:
        return self.prose.partition("\n## ")[0]

    @cached_property
    def spans(self) -> list[str]:
        """The code in its prose."""
        return re.findall(r"`([^`\n]+)`", self.prose)

    @property
    def files(self) -> list[str]:
        return [span for span in self.spans if FILE.fullmatch(span) and "<" not in span]

    @property
    def variables(self) -> set[str]:
        return {span.split("=")[0] for span in self.spans if VARIABLE.fullmatch(span.split("=")[0])}

    @property
    def routes(self) -> list[tuple[str, str]]:
        found = [match for span in self.spans if (match := ROUTE.fullmatch(span))]
        return [(match[1] or "", match[2]) for match in found]

    @property
    def blocks(self) -> list[Block]:
        found = FENCED.findall(self.text)
        return [
            Block(kind, after.partition('"')[2].strip('"'), text) for kind, after, text in found
        ]

    @property
    def commands(self) -> list[str]:
        """The lines of its shell blocks, and the commands in its prose."""
        shell = [block.text for block in self.blocks if block.language == "sh"]
        return [*"\n".join(shell).replace("\\\n", " ").splitlines(), *self.spans]


def pages() -> list[Page]:
    return [page(name) for name in sorted(_listed("*.md"))]


def page(name: str) -> Page:
    return Page(ROOT / name)


@cache
def words_of_code() -> set[str]:
    """Return all names and other words in the code and the configuration of the project."""
    kinds = {".py", ".lua", ".toml", ".yml", ""}
    files = [ROOT / name for name in _listed("*") if Path(name).suffix in kinds]
    return {word for file in files for word in re.findall(r"\w+", file.read_text())}


def _listed(pattern: str) -> list[str]:
    """List the files that Git tracks or would track."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", pattern]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S603  our own
    return [name for name in done.stdout.splitlines() if (ROOT / name).is_file()]
