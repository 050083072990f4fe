import pytest

from benchmarks.console.__main__ import run


@pytest.mark.checkout
def test_the_benchmark_of_the_console_runs(capsys: pytest.CaptureFixture[str]) -> None:
    run(jobs=1_000, letters=100)

    printed = capsys.readouterr().out
    assert "10 retried, 0 refused" in printed
    assert "1,000 jobs wait, 100 dead letters" in printed
