import pytest

from app.core.config import Settings
from benchmarks.checkouts import HERE
from benchmarks.load.__main__ import compare
from benchmarks.load.client import Outcome, Response
from benchmarks.load.phases import FIGURES
from benchmarks.queue.figures import table
from tests.support.servers import Servers


@pytest.mark.timing
@pytest.mark.usefixtures("throttle")  # it forgets who has tried to log in before
async def test_an_overload_of_the_service_is_measured(servers: Servers, settings: Settings) -> None:
    figures = await compare(
        {"ours": HERE}, servers.postgres, settings.redis_url, rounds=1, seconds=1
    )

    assert [figure.name for figure in figures] == list(FIGURES)
    assert figures[0].medians["ours"] > 0
    assert "503, p99" in table(figures)


def test_the_recovery_ends_after_half_a_second_of_sufficient_goodput() -> None:
    rejected = [Response(503, 0.001, at / 100) for at in range(100)]
    succeeded = [Response(200, 0.1, 1 + at / 100) for at in range(100)]

    outcome = Outcome(seconds=2.0, responses=rejected + succeeded)

    assert outcome.reached(goodput=80, window=0.5) == 1.0
    assert outcome.reached(goodput=200, window=0.5) == 2.0
