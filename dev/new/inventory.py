"""The page that lists the queues and emails of the service."""

from collections.abc import Sequence

from dev.new.source import AnchorNotFound
from dev.new.tree import Tree

FILE = "docs/inventory.md"


def list_in(tree: Tree, section: str, *cells: str) -> None:
    """Add a row to a section of the page. Raise NewError if the section does not exist."""
    tree.edit(FILE, _add_row, section, cells)


def _add_row(text: str, section: str, cells: Sequence[str]) -> str:
    """Add a row to the table below a heading."""
    lines = text.splitlines(keepends=True)
    try:
        begin = lines.index(f"## {section}\n")
    except ValueError:
        raise AnchorNotFound(f"section {section}") from None
    end = begin + 1
    while end < len(lines) and not lines[end].startswith("## "):
        end += 1
    rows = [number for number in range(begin, end) if lines[number].startswith("|")]
    if not rows:
        raise AnchorNotFound(f"table below {section}")
    lines.insert(rows[-1] + 1, f"| {' | '.join(cells)} |\n")
    return "".join(lines)
