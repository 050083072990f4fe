"""Tables, durations, and sizes in a format for people."""

import shutil
from collections.abc import Container, Mapping, Sequence
from datetime import UTC, datetime
from uuid import UUID

from app.core.control.durations import format_duration

MIN_WIDTH, DEFAULT_WIDTH = 80, 100
GAP = "  "

Cell = str | int | UUID | None


def table(
    headers: Sequence[str], rows: Sequence[Sequence[Cell]], *, right: Container[str] = ()
) -> str:
    """Return aligned columns. Lines are cut at the width of the terminal.

    `right` lists the headers of right-aligned columns, such as numbers. None becomes a dash.
    """
    lines = [headers, *([_text(cell) for cell in row] for row in rows)]
    widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]
    return "\n".join(
        _cut(
            GAP.join(
                cell.rjust(width) if header in right else cell.ljust(width)
                for header, cell, width in zip(headers, line, widths, strict=True)
            ).rstrip()
        )
        for line in lines
    )


def facts_table(facts: Mapping[str, object]) -> str:
    """Return one line per fact with a value: its name and the value."""
    width = max(map(len, facts))
    return "\n".join(f"{name:{width}}  {fact}" for name, fact in facts.items() if fact is not None)


def since(moment: datetime) -> str | None:
    """Return the duration since a time."""
    return format_duration((datetime.now(UTC) - moment).total_seconds())


def mebibytes(size: int) -> str:
    return f"{size / 2**20:.0f} MiB"


def _text(cell: Cell) -> str:
    return "-" if cell is None else " ".join(str(cell).split())


def _cut(line: str) -> str:
    width = max(MIN_WIDTH, shutil.get_terminal_size((DEFAULT_WIDTH, 24)).columns)
    return line if len(line) <= width else line[: width - 1] + "…"
