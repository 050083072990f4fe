"""`bin/test` runs the tests with pytest, in one run or several."""

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
Run the tests on their own PostgreSQL and Valkey. Without an option, bin/test runs all tests that no
option below names. If you name a file, all its tests run. All other arguments go to pytest:
bin/test -x -k email
"""


@dataclass(frozen=True)
class Run:
    """One run of pytest: tests with these markers.

    A `timed` run compares durations. It has no coverage, which would slow it down. Failed tests run
    once more, because other work on the machine can spoil a measurement.
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
"""The runs of each option. If several options are given, the last one in this table counts."""


class Arguments(argparse.Namespace):
    """The parsed command line."""

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
    """Return the arguments of bin/test and those for pytest."""
    parser = argparse.ArgumentParser(
        prog="bin/test",
        description=HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    for option, text in {
        "--all": "also run tests that compare durations, start bin/dev, or follow a guide",
        "--browser": "open every page in Chromium, with screenshots in .dev/screenshots",
        "--fuzz": "send over 4,000 requests that are generated from the OpenAPI document",
        "--chaos": "kill and freeze processes for five minutes; --seed N varies the moments",
        "--stock": "run some of these faults against stock arq, which fails",
        "--seams": "run with real poolers, replicas, Sentinels, proxies, and Prometheus",
    }.items():
        parser.add_argument(
            option, dest="choices", action="append_const", const=option, default=[], help=text
        )
    parser.add_argument("--cov", action="store_true", help="measure the coverage")
    return parser.parse_known_args(command_line, Arguments())


def plan(arguments: Arguments, for_pytest: Sequence[str]) -> list[tuple[Run, list[str]]]:
    """Return the runs of a command line, each with its arguments for pytest."""
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
                *for_pytest,
                *([run.folder] if run.folder and not paths else []),
                # At the end, because pytest would take a following path for the measured folder.
                *(["--cov"] if arguments.cov and not run.timed else []),
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
