"""The budget of each kind of request, `budget.toml`, which a test compares with the costs."""

import math
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

BUDGET = Path(__file__).with_name("budget.toml")

SLACK = 1.03
"""The number of calls varies slightly between versions of Python and of libraries."""

HEADER = """\
# What each kind of request may cost: calls of Python functions, and round trips to PostgreSQL.
# `python -m benchmarks.http --write-budget` writes it. Explain a higher figure in the commit.
"""

Costs = Mapping[str, Mapping[str, float]]


def read_budget() -> Costs:
    costs: Costs = tomllib.loads(BUDGET.read_text())
    return costs


def write_budget(costs: Costs) -> None:
    """Write the present costs of requests, with a small tolerance."""
    lines = [HEADER]
    for name, cost in costs.items():
        calls = math.ceil(cost["calls"] * SLACK / 10) * 10
        lines.append(
            f'["{name}"]\ncalls = {calls}\nround_trips = {math.ceil(cost["round_trips"])}\n'
        )
    BUDGET.write_text("\n".join(lines))


def exceeded(costs: Costs, budget: Costs) -> Iterator[str]:
    """Yield a sentence for each request that exceeds its budget or has none."""
    for name, cost in costs.items():
        if name not in budget:
            yield f"{name!r} has no budget: run python -m benchmarks.http --write-budget"
            continue
        for unit, spent in cost.items():
            allowed = budget[name][unit]
            if spent > allowed:
                what = unit.replace("_", " ")
                yield f"{name!r} costs {spent:g} {what}; its budget is {allowed:g}"
