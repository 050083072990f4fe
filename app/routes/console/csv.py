"""Rows as CSV, which spreadsheets open. No cell is taken for a formula."""

import csv
from collections.abc import Sequence
from datetime import datetime
from io import StringIO

STARTS_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""A spreadsheet computes a cell that begins so. The last four are full-width forms."""


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
            # Leading spaces do not matter to all spreadsheets.
            return f"'{text}" if text.lstrip(" ").startswith(STARTS_FORMULA) else text
