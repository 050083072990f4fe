"""Figures, their targets, and the table of both."""

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

OURS = "ours"


@dataclass(frozen=True)
class Target:
    """The target of a figure, checked on the medians of all contenders."""

    text: str
    holds: Callable[[Mapping[str, float]], bool]


@dataclass(frozen=True)
class Figure:
    """A line of the table, with a value per round for each contender."""

    name: str
    unit: str
    values: Mapping[str, Sequence[float]]
    target: Target | None = None

    @property
    def medians(self) -> dict[str, float]:
        return {name: statistics.median(values) for name, values in self.values.items()}

    @property
    def verdict(self) -> str:
        if self.target is None:
            return ""
        return "met" if self.target.holds(self.medians) else "NOT met"


def at_most(limit: float) -> Target:
    return Target(f"≤ {limit:g}", lambda medians: medians[OURS] <= limit)


def at_least(limit: float) -> Target:
    return Target(f"≥ {limit:,g}", lambda medians: medians[OURS] >= limit)


def times_at_most(factor: float, other: str) -> Target:
    return Target(
        f"≤ {factor:g} × {other}", lambda medians: medians[OURS] <= factor * medians[other]
    )


def times_at_least(factor: float, other: str) -> Target:
    return Target(
        f"≥ {factor:g} × {other}", lambda medians: medians[OURS] >= factor * medians[other]
    )


def quantile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that this share of all values does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def table(figures: Sequence[Figure]) -> str:
    """Return the figures as a Markdown table: ours, its spread, its target, and the others."""
    rows = [("measure", "ours", "rounds", "target", "", "others"), *map(_row, figures)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def _row(figure: Figure) -> tuple[str, ...]:
    ours, medians = figure.values[OURS], figure.medians
    return (
        figure.name,
        f"{_number(medians[OURS])} {figure.unit}",
        f"{_number(min(ours))} … {_number(max(ours))}" if len(ours) > 1 else "",
        figure.target.text if figure.target else "",
        figure.verdict,
        "; ".join(_beside(medians)),
    )


def _beside(medians: Mapping[str, float]) -> Iterator[str]:
    for name, value in medians.items():
        if name != OURS:
            ratio = f" (× {medians[OURS] / value:.2f})" if value else ""
            yield f"{name} {_number(value)}{ratio}"


def _number(value: float) -> str:
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
