"""`bin/check` checks everything that needs no test run."""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from dev.console import RED, Console
from dev.postgres import postgres

ROOT = Path(__file__).parents[1]
SCRIPTS = Path(sys.executable).parent
WIDTH = 16

Environment = Callable[[], AbstractContextManager[Mapping[str, str]]]


@contextmanager
def no_server() -> Iterator[Mapping[str, str]]:
    """Yield no variables, for checks that need no server."""
    yield {}


@contextmanager
def empty_database() -> Iterator[Mapping[str, str]]:
    """Run an empty PostgreSQL, so that a check never touches the developer's database."""
    with tempfile.TemporaryDirectory() as folder, postgres(Path(folder), durable=False) as url:
        yield {"DATABASE_URL": url}


@dataclass(frozen=True)
class Check:
    """Commands that must all succeed, and the environment in which they run."""

    name: str
    commands: Sequence[str]
    environment: Environment = no_server


@dataclass(frozen=True)
class Outcome:
    """The result of a check and its output."""

    check: Check
    passed: bool
    output: str
    seconds: float


def all_checks(root: Path) -> list[Check]:
    """List the checks. The longest come first, so that the others run next to them."""
    code = " ".join(
        [
            "app",
            "dev",
            "tests",
            "benchmarks",
            "alembic",
            "main.py",
            *(f.name for f in root.glob("run_*.py")),
        ]
    )
    return [
        Check("mypy", [f"mypy --strict {code}"]),
        Check("alembic check", ["alembic upgrade head", "alembic check"], empty_database),
        Check("import-linter", ["lint-imports"]),
        Check("migrations", ["python -m dev.migrations"]),
        Check("prose", ["python -m dev.prose"]),
        Check("docs", ["python -m dev.docs --check"]),
        Check("hadolint", ["hadolint Dockerfile"]),
        Check(
            "compose schema",
            ["check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml"],
        ),
        Check("ruff check", ["ruff check"]),
        Check("ruff format", ["ruff format --check"]),
    ]


def run(check: Check) -> Outcome:
    """Run the commands of a check until one fails."""
    began = time.monotonic()
    output, passed = "", True
    with check.environment() as variables:
        for command in check.commands:
            program, *arguments = command.split()
            done = subprocess.run(  # noqa: S603  the commands above
                [SCRIPTS / program, *arguments],
                env={**os.environ, **variables},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
            output += f"$ {command}\n{done.stdout}"
            if done.returncode != 0:
                passed = False
                break
    return Outcome(check, passed, output, time.monotonic() - began)


def run_all(checks: Sequence[Check], console: Console) -> bool:
    """Run the checks in parallel, print each result, and return whether all passed."""
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        outcomes = []
        for future in as_completed([threads.submit(run, check) for check in checks]):
            outcome = future.result()
            outcomes.append(outcome)
            verdict = "ok" if outcome.passed else console.styled("FAILED", RED)
            console.plain(f"{outcome.check.name:<{WIDTH}}{outcome.seconds:5.1f} s  {verdict}")
            if not outcome.passed:
                console.plain(outcome.output)
    return all(outcome.passed for outcome in outcomes)


FIXES = Check("fix", ["ruff check --fix-only --quiet", "ruff format --quiet"])


class Arguments(argparse.Namespace):
    """The parsed command line."""

    fix: bool


def main() -> int:
    """Return the exit code: 1 if a check fails."""
    parser = argparse.ArgumentParser(prog="bin/check", description=__doc__)
    parser.add_argument(
        "--fix",
        action="store_true",
        help="first correct what ruff can correct",
    )
    arguments = parser.parse_args(namespace=Arguments())
    os.chdir(ROOT)
    if arguments.fix and not run_all([FIXES], Console()):
        return 1
    return 0 if run_all(all_checks(ROOT), Console()) else 1


if __name__ == "__main__":
    sys.exit(main())
