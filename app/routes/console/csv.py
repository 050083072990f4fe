"""CSV for spreadsheets, in which no cell is interpreted as a formula."""

import csv
from collections.abc import Sequence
from datetime import datetime
from io import StringIO

STARTS_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""Spreadsheets interpret cells with these prefixes as formulas. The last four are full-width."""


def csv_line(cells: Sequence[object]) -> str:
    """Return a line of CSV (RFC 4180)."""
    line = StringIO()
    csv.writer(line).writerow([_cell(cell) for cell in cells])
    return line.getvalue()


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case datetime():
            return value.isoformat()
        case _:
            text = str(value)
            # Some spreadsheets ignore leading spaces.
            return f"'{text}" if text.lstrip(" ").startswith(STARTS_FORMULA) else text
