from dataclasses import replace
from pathlib import Path

import pytest

from app.core.config import Settings
from benchmarks.queue.__main__ import measure
from benchmarks.queue.contenders import OURS_BASE, TUNED
from benchmarks.queue.figures import Figure, at_most, table, times_at_least
from benchmarks.queue.ground import laid
from benchmarks.queue.measures.throughput import drain
from benchmarks.queue.ours import WIDE
from benchmarks.queue.rounds import Scale, interleaved
from benchmarks.queue.stock import STOCK

SMALLEST = Scale(rounds=1, share=0.0002)


@pytest.fixture
def apart(settings: Settings) -> Settings:
    """Settings with a separate Redis database for each contender."""
    shared, _, first = settings.redis_url.rpartition("/")
    own = {queue.name: f"{shared}/{int(first) + queue.redis_db}" for queue in (WIDE, STOCK)}
    urls = settings.queue_redis_urls | own
    return settings.model_copy(update={"queue_redis_urls": urls, "log_level": "warning"})


@pytest.mark.checkout
async def test_our_worker_and_stock_arq_are_measured(apart: Settings, tmp_path: Path) -> None:
    ground = laid(apart, tmp_path)

    figures: list[Figure] = []
    await measure(ground, ["sending", "memory"], SMALLEST, figures)
    sent, _, memory, _ = figures
    arq = await drain(ground, TUNED, jobs=2)
    supervised = await drain(ground, replace(OURS_BASE, processes=2), jobs=2, name="compute")

    assert sent.medians["ours"] > 0
    assert memory.medians["ours"] > 0
    assert arq.rate > 0
    assert supervised.rate > 0


def test_a_figure_shows_whether_it_meets_its_target() -> None:
    rates = {"ours": [10.0, 30.0, 20.0], "tuned": [8.0]}

    assert Figure("rate", "jobs/s", rates, times_at_least(2.5, "tuned")).verdict == "met"
    assert Figure("rate", "jobs/s", rates, times_at_least(2.6, "tuned")).verdict == "NOT met"
    assert Figure("rate", "jobs/s", rates).verdict == ""


def test_the_table_shows_the_median_its_range_and_the_other_contenders() -> None:
    figure = Figure("pickup", "ms", {"ours": [3.0, 1.0, 2.0], "tuned": [8.0]}, at_most(2))

    row = table([figure]).splitlines()[-1]

    assert row == "| pickup  | 2.00 ms | 1.00 … 3.00 | ≤ 2    | met | tuned 8.00 (× 0.25) |"  # noqa: RUF001


async def test_every_contender_is_measured_in_every_round() -> None:
    turns: list[str] = []

    async def turn(name: str) -> int:
        turns.append(name)
        return len(turns)

    values = await interleaved(2, {"ours": lambda: turn("ours"), "arq": lambda: turn("arq")})

    assert turns == ["ours", "arq", "arq", "ours"]
    assert values == {"ours": [1, 4], "arq": [2, 3]}
