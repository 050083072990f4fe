"""The tests that a command line of bin/test runs."""

import pytest

from dev.test import EVERYDAY, LONG, NAMED, Run, parse, plan

FILE = "tests/dev/test_test.py"


def runs(*command_line: str) -> list[Run]:
    return [run for run, _ in plan(*parse(command_line))]


def options(*command_line: str) -> list[list[str]]:
    return [options for _, options in plan(*parse(command_line))]


@pytest.mark.parametrize("command_line", [(), ("-x", "-k", "email"), ("tests/routes",)])
def test_tests_of_durations_and_checkouts_need_an_option(command_line: tuple[str, ...]) -> None:
    assert runs(*command_line) == [EVERYDAY]
    [[markers, *rest]] = options(*command_line)
    assert "timing" in markers
    assert "checkout" in markers
    assert rest == [*command_line]


def test_all_tests_run_in_parallel_before_durations_are_compared_one_after_another() -> None:
    parallel, serial = options("--all")

    assert "checkout" not in parallel[0]
    assert "-n0" not in parallel
    assert serial == [f"-mtiming and not ({LONG})", "-n0"]


@pytest.mark.parametrize("place", [FILE, f"{FILE}::test_something"])
def test_a_test_whose_file_is_named_runs_whatever_its_markers_are(place: str) -> None:
    assert runs(place) == [NAMED]


def test_coverage_is_measured_but_not_while_durations_are_compared() -> None:
    parallel, timed = options("--all", "--cov")

    assert "--cov" in parallel
    assert "--cov" not in timed
    assert options("--cov", FILE) == [["-mnot stock", "-n0", FILE, "--cov"]]


@pytest.mark.parametrize(
    ("command_line", "expected"),
    [
        (("--fuzz",), ["-mfuzz", "tests/fuzz"]),
        (("--chaos", "--seed", "2"), ["-mchaos and not stock", "--seed", "2", "tests/chaos"]),
        (("--seams",), ["-mseams", "tests/seams"]),
        (("--chaos", "--stock"), ["-mstock", "tests/chaos"]),
        (
            ("--chaos", "tests/chaos/test_cron.py"),
            ["-mchaos and not stock", "tests/chaos/test_cron.py"],
        ),
    ],
)
def test_long_tests_run_in_their_folder_unless_another_place_is_named(
    command_line: tuple[str, ...], expected: list[str]
) -> None:
    assert options(*command_line) == [expected]
