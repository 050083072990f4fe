"""A copy of this project works and has its own name everywhere."""

import os
import re
import tomllib
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import pytest

from dev.new.git import git
from dev.new.identity import Identity
from tests.dev.new.support import assert_passes, clone_the_project, lend_the_environment, run
from tests.support.servers import ROOT

THIRD_PARTIES = ("swagger-ui", "common_passwords.txt", ".upstream")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone of the project in which everything is committed but a file and a folder."""
    source = tmp_path_factory.mktemp("source") / "boilerplate"
    clone_the_project(source)
    (source / "notes.txt").touch()
    (source / "drafts").mkdir()
    (source / "drafts/plan.md").touch()
    return source


@pytest.fixture(scope="module")
def report(source: Path) -> str:
    """What the command prints when it creates a project called Shop."""
    with redirect_stdout(StringIO()) as printed:
        assert run(source, ["project", str(source.parent / "shop"), "--name", "Shop"]) == 0
    return printed.getvalue()


@pytest.fixture(scope="module")
def shop(source: Path, report: str) -> Path:
    """A project called Shop."""
    assert "/shop\n" in report
    return source.parent / "shop"


def files_of(project: Path) -> list[Path]:
    return [project / name for name in git(project, "ls-files").decode().splitlines()]


def test_no_name_of_the_source_is_left(shop: Path) -> None:
    words = [*Identity.of(ROOT).names(), "boilerplate"]
    pattern = re.compile(
        "|".join(rf"(?<![a-z0-9]){re.escape(word)}" for word in words), re.IGNORECASE
    )
    left = [
        f"{path.relative_to(shop)}: {line.strip()}"
        for path in files_of(shop)
        if not any(name in str(path) for name in THIRD_PARTIES)
        for line in path.read_text(errors="replace").splitlines()
        if any(word.lower() in line.lower() for word in words) and pattern.search(line)
    ]

    assert left == []


def test_the_new_name_is_where_people_and_programs_look_for_it(shop: Path) -> None:
    assert Identity.of(shop) == Identity("Shop", "shop", "shop_db", "shop_", "shop:queue:")
    assert "# Shop\n" in (shop / "README.md").read_text()
    assert 'title="Shop"' in (shop / "app/core/setup.py").read_text()
    assert "image: shop\n" in (shop / "docker-compose.yml").read_text()
    assert 'MAIL_FROM="Shop <noreply@example.com>"' in (shop / ".env.example").read_text()
    assert 'f"shop:queue:{' in (shop / "app/core/broker/keys.py").read_text()


def test_the_project_records_where_it_comes_from(source: Path, shop: Path) -> None:
    upstream = tomllib.loads((shop / ".upstream").read_text())

    assert upstream["commit"] == git(source, "rev-parse", "HEAD").decode().strip()
    assert upstream["license"].strip() == (ROOT / "LICENSE").read_text().strip()


def test_the_project_begins_with_one_commit_and_nothing_uncommitted(shop: Path) -> None:
    assert git(shop, "rev-list", "--count", "HEAD") == b"1\n"
    assert git(shop, "status", "--porcelain") == b""
    assert os.access(shop / "bin/dev", os.X_OK)


def test_a_copy_cannot_be_copied(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(shop, ["project", str(shop.parent / "third")]) == 1
    assert capsys.readouterr().err == (
        "bin/new: This project is itself a copy. Run bin/new project in the project it was "
        "copied from.\n"
    )


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        ("boilerplate --name Shop", 1, r".*/boilerplate already exists\."),
        ("boilerplate/shop", 1, r".*/shop is inside this project\. .*"),
        ("no/shop", 1, r"The folder .*/no does not exist\."),
        ("other --name Shop!", 2, r"'Shop!' cannot be a name: use at most 40 letters, .*"),
        ("redis", 2, r"'Redis' cannot be a name: the project depends on redis\."),
    ],
)
def test_an_impossible_project_is_refused_and_leaves_no_files(
    source: Path, arguments: str, code: int, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path.name for path in source.parent.iterdir()}

    assert run(source, f"project {source.parent}/{arguments}") == code
    assert re.fullmatch(rf"bin/new: {sentence}\n", capsys.readouterr().err)
    assert {path.name for path in source.parent.iterdir()} == before


def test_uncommitted_changes_prevent_a_copy(
    source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manual = source / "setup.md"
    text = manual.read_text()
    manual.write_text(f"{text}\n")
    assert run(source, ["project", str(source.parent / "other")]) == 1
    manual.write_text(text)

    assert capsys.readouterr().err == (
        "bin/new: There are uncommitted changes. Commit them first: a project is a copy of a "
        "commit.\n"
    )


def test_files_that_git_does_not_track_are_named_and_not_copied(shop: Path, report: str) -> None:
    assert "\nleft out drafts/, notes.txt, because Git does not track it\n" in report
    assert not {"drafts", "notes.txt"} & {path.name for path in shop.iterdir()}


@pytest.mark.checkout
def test_the_project_passes_its_own_checks_and_tests(shop: Path) -> None:
    lend_the_environment(shop)

    assert_passes(shop, "bin/check")
    assert_passes(shop, "bin/test")
