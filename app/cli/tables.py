"""Tables, ages and sizes as people read them."""

import shutil
from collections.abc import Container, Sequence
from datetime import UTC, datetime
from uuid import UUID

NARROWEST, USUAL = 80, 100
GAP = "  "

Cell = str | int | UUID | None


def table(
    headers: Sequence[str], rows: Sequence[Sequence[Cell]], *, right: Container[str] = ()
) -> str:
    """Align columns; the last is cut where the line would outgrow the terminal.

    `right` names the columns that are read from the right, as numbers are; None is a dash.
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


def age(seconds: float | None) -> str | None:
    """Tell a duration in its largest unit: 12s, 3m, 5h, 2d."""
    if seconds is None:
        return None
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds // size:.0f}{unit}"
    return f"{max(seconds, 0) // 1:.0f}s"


def since(moment: datetime) -> str | None:
    """Tell how long ago a moment was."""
    return age((datetime.now(UTC) - moment).total_seconds())


def mebibytes(size: int) -> str:
    return f"{size / 2**20:.0f} MiB"


def _text(cell: Cell) -> str:
    return "-" if cell is None else " ".join(str(cell).split())


def _cut(line: str) -> str:
    width = max(NARROWEST, shutil.get_terminal_size((USUAL, 24)).columns)
    return line if len(line) <= width else line[: width - 1] + "…"
