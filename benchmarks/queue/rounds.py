"""The number of rounds, and the order of the contenders."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

Value = TypeVar("Value")


@dataclass(frozen=True)
class Scale:
    """The number of rounds, and the share of all jobs that each runs."""

    rounds: int = 3
    share: float = 1.0

    def of(self, number: int, *, least: int = 2) -> int:
        return max(least, round(number * self.share))


async def interleaved(
    rounds: int, turns: Mapping[str, Callable[[], Awaitable[Value]]]
) -> dict[str, list[Value]]:
    """Run every contender in every round, so that other work affects all of them.

    The order rotates, so that no contender always follows the same one.
    """
    values: dict[str, list[Value]] = {name: [] for name in turns}
    for number in range(rounds):
        names = [*turns]
        for name in names[number % len(names) :] + names[: number % len(names)]:
            values[name].append(await turns[name]())
    return values
