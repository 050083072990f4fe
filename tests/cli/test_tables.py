import pytest

from app.cli.tables import mebibytes, table
from app.core.control.durations import format_duration


def test_numbers_are_aligned_to_the_right_and_a_missing_value_is_a_dash() -> None:
    rows = [("base", 7, "a"), ("email", 1_000, None)]

    assert table(("QUEUE", "DUE", "NOTE"), rows, right=["DUE"]).splitlines() == [
        "QUEUE   DUE  NOTE",
        "base      7  a",
        "email  1000  -",
    ]


@pytest.mark.parametrize(("columns", "width"), [("60", 80), ("100", 100), ("120", 120)])
def test_a_line_is_as_long_as_the_terminal_allows(
    monkeypatch: pytest.MonkeyPatch, columns: str, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", columns)

    assert len(table(("ERROR",), [("x" * 300,)]).splitlines()[1]) == width


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, None),
        (-1, "0s"),
        (0.4, "0s"),
        (59.9, "59s"),
        (60, "1m"),
        (7_199, "1h"),
        (172_800, "2d"),
    ],
)
def test_an_age_is_shown_in_its_largest_unit(seconds: float | None, text: str | None) -> None:
    assert format_duration(seconds) == text


def test_sizes_are_shown_in_mebibytes() -> None:
    assert mebibytes(90 * 2**20) == "90 MiB"
