import pytest

from benchmarks.checkouts import HERE
from benchmarks.queue.figures import table
from benchmarks.waiting.__main__ import measure


@pytest.mark.checkout
async def test_the_benchmark_of_a_large_transaction_runs() -> None:
    figures = await measure(["one_transaction"], {"ours": HERE}, {"ours": 1_000})

    duration, *delays = figures
    assert duration.name == "one transaction: duration"
    assert duration.target is not None
    assert all(figure.medians["ours"] > 0 for figure in figures)
    assert len(table(figures).splitlines()) == 2 + len([duration, *delays])
