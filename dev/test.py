"""`bin/test`: run the tests with pytest, in one run or in several."""

import argparse
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
TESTS_FAILED, NO_TESTS_COLLECTED = 1, 5
"""Exit codes of pytest."""

HELP = """\
Run the tests on a PostgreSQL and a Valkey of their own. Without an option, all tests run except
those that an option below names. A test whose file you name runs whatever its markers are. All
other arguments go to pytest: bin/test -x -k email
"""


@dataclass(frozen=True)
class Run:
    """One run of pytest: tests with these markers.

    A `timed` run compares durations: without coverage, which would slow it down, and what fails
    runs once more, because other work on the machine can spoil a measurement.
    """

    markers: str
    folder: str | None = None
    parallel: bool = True
    timed: bool = False


LONG = "browser or chaos or stock or fuzz or seams"
EVERYDAY = Run(f"not ({LONG} or timing or checkout)")
NAMED = Run("not stock", parallel=False)
CHOICES: dict[str, list[Run]] = {
    "--all": [
        Run(f"not ({LONG} or timing)"),
        Run(f"timing and not ({LONG})", parallel=False, timed=True),
    ],
    "--browser": [Run("browser", "tests/pages/browser")],
    "--fuzz": [Run("fuzz", "tests/fuzz")],
    "--chaos": [Run("chaos and not stock", "tests/chaos")],
    "--stock": [Run("stock", "tests/chaos")],
    "--seams": [Run("seams", "tests/seams")],
}
"""What each option runs. If several are given, the last one of this table counts."""


class Arguments(argparse.Namespace):
    """What the command line asks for."""

    choices: list[str]
    cov: bool


def main() -> int:
    """Return the exit code of the first run that failed."""
    arguments, for_pytest = parse(sys.argv[1:])
    os.chdir(ROOT)
    codes = [run_with_retry(run, options) for run, options in plan(arguments, for_pytest)]
    failures = [code for code in codes if code not in {0, NO_TESTS_COLLECTED}]
    return failures[0] if failures else min(codes)


def parse(command_line: Sequence[str]) -> tuple[Arguments, list[str]]:
    """Return our own arguments and those for pytest."""
    parser = argparse.ArgumentParser(
        prog="bin/test",
        description=HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    for option, text in {
        "--all": "also tests that compare durations, start bin/dev, or follow a guide",
        "--browser": "every page in Chromium, with pictures in .dev/screenshots",
        "--fuzz": "over 4,000 requests that are derived from the OpenAPI document",
        "--chaos": "five minutes of killed and frozen processes; --seed N varies the moments",
        "--stock": "the first of these faults against stock arq, which fails",
        "--seams": "the service on poolers, replicas, Sentinels, and proxies as companies run them",
    }.items():
        parser.add_argument(
            option, dest="choices", action="append_const", const=option, default=[], help=text
        )
    parser.add_argument("--cov", action="store_true", help="also measure the coverage")
    return parser.parse_known_args(command_line, Arguments())


def plan(arguments: Arguments, for_pytest: Sequence[str]) -> list[tuple[Run, list[str]]]:
    """Return the runs that the command line asks for, each with its arguments for pytest."""
    paths = paths_in(for_pytest)
    names_a_file = any(path.suffix == ".py" for path in paths)
    runs = [NAMED] if names_a_file else [EVERYDAY]
    for choice in arguments.choices:
        runs = CHOICES[choice]
    return [
        (
            run,
            [
                f"-m{run.markers}",
                *([] if run.parallel else ["-n0"]),
                *(["--cov"] if arguments.cov and not run.timed else []),
                *for_pytest,
                *([run.folder] if run.folder and not paths else []),
            ],
        )
        for run in runs
    ]


def paths_in(arguments: Sequence[str]) -> list[Path]:
    """Return the files and folders among the arguments, without the names of tests."""
    paths = [Path(argument.partition("::")[0]) for argument in arguments]
    return [path for path in paths if path.exists()]


def run_with_retry(run: Run, options: Sequence[str]) -> int:
    """Run pytest and return its exit code. What fails in a timed run runs once more."""
    code = run_pytest(options)
    if code == TESTS_FAILED and run.timed:
        code = run_pytest([*options, "--last-failed", "--last-failed-no-failures=none"])
    return code


def run_pytest(options: Sequence[str]) -> int:
    """Run pytest and return its exit code. It ends in order after Ctrl-C and SIGTERM."""
    with subprocess.Popen([sys.executable, "-m", "pytest", *options]) as process:  # noqa: S603
        signal.signal(signal.SIGTERM, lambda *_: process.terminate())
        while process.returncode is None:
            with suppress(KeyboardInterrupt):
                process.wait()
    return process.returncode


if __name__ == "__main__":
    sys.exit(main())
