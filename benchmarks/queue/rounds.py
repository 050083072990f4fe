"""How often and in which order things are measured."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

Value = TypeVar("Value")


@dataclass(frozen=True)
class Scale:
    """How many rounds there are, and which share of the full number of jobs each has."""

    rounds: int = 3
    share: float = 1.0

    def of(self, number: int, *, least: int = 2) -> int:
        return max(least, round(number * self.share))


async def interleaved(
    rounds: int, turns: Mapping[str, Callable[[], Awaitable[Value]]]
) -> dict[str, list[Value]]:
    """Let everybody have a turn in every round: what disturbs the machine disturbs all.

    The order moves on from round to round, so that nobody always comes after the same.
    """
    values: dict[str, list[Value]] = {name: [] for name in turns}
    for number in range(rounds):
        names = [*turns]
        for name in names[number % len(names) :] + names[: number % len(names)]:
            values[name].append(await turns[name]())
    return values
