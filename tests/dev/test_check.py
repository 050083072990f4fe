"""The output and the exit code of bin/check."""

import io
from pathlib import Path

import pytest

from dev.check import FIXES, Check, Environment, all_checks, empty_database, no_server, run_all
from dev.console import Console
from tests.dev.owner import ROOT


def python(name: str, *lines: str, environment: Environment = no_server) -> Check:
    """Return a check that runs lines of Python without spaces."""
    return Check(name, [f"python -c {line}" for line in lines], environment)


def test_all_checks_are_reported_and_one_that_fails_shows_why() -> None:
    said = io.StringIO()
    checks = [python("good", "print(42)"), python("bad", "exit('because')", "print('too_late')")]
    assert not run_all(checks, Console(said))
    lines = said.getvalue().splitlines()
    assert [line for line in lines if line.startswith("good") and line.endswith("s  ok")]
    assert [line for line in lines if line.startswith("bad") and line.endswith("s  FAILED")]
    assert "because" in lines
    assert "too_late" not in lines
    assert "42" not in lines


def test_checks_that_pass_say_so() -> None:
    assert run_all([python("good", "print(42)")], Console(io.StringIO()))


def test_models_are_compared_with_a_database_that_is_thrown_away() -> None:
    looks = "__import__('os').environ['DATABASE_URL'].index('postgresql://')"
    assert run_all([python("database", looks, environment=empty_database)], Console(io.StringIO()))


def test_what_ruff_can_correct_is_corrected_on_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    untidy = tmp_path / "untidy.py"
    untidy.write_text("import os\nimport sys\nprint( sys )\n")
    assert run_all([FIXES], Console(io.StringIO()))
    assert untidy.read_text() == "import sys\n\nprint(sys)\n"


def test_every_entry_point_is_checked() -> None:
    [mypy] = [check for check in all_checks(ROOT) if check.name == "mypy"]
    for path in ROOT.glob("run_*.py"):
        assert path.name in mypy.commands[0]
