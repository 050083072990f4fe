"""The bootstrap of the commands, tested without a network."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.dev.owner import ROOT

UV = """#!/bin/sh
case "$*" in
  *--check*) test -x .venv/bin/alembic ;;
  sync*) mkdir -p .venv/bin && echo "#!$(pwd -P)/.venv/bin/python" >.venv/bin/alembic &&
    chmod +x .venv/bin/alembic && echo made ;;
esac
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with only a command and a fake uv that creates an environment at once."""
    bin_folder = tmp_path / "before" / "bin"
    bin_folder.mkdir(parents=True)
    (bin_folder / ".bootstrap").write_text((ROOT / "bin/.bootstrap").read_text())
    command = bin_folder / "command"
    command.write_text('#!/bin/sh\n. "$(dirname -- "$0")/.bootstrap"\n')
    uv = tmp_path / "uv"
    uv.write_text(UV)
    for program in (command, uv):
        program.chmod(0o755)
    return bin_folder.parent


def run_command(project: Path) -> subprocess.CompletedProcess[str]:
    path = f"{project.parent}:{os.environ['PATH']}"
    # CI names another environment for each Python; the one of this project is its own.
    inherited = {name: os.environ[name] for name in os.environ if name != "PROJECT_ENVIRONMENT"}
    return subprocess.run(  # noqa: S603  the command above
        [project / "bin/command"],
        env={**inherited, "PATH": path},
        capture_output=True,
        text=True,
        check=True,
    )


def test_an_environment_is_made_once(project: Path) -> None:
    assert "made" in run_command(project).stdout
    assert "made" not in run_command(project).stdout


def test_an_environment_is_made_again_after_the_project_was_moved(project: Path) -> None:
    run_command(project)
    moved = project.rename(project.with_name("after"))

    run = run_command(moved)

    assert f"was moved from {project}" in run.stderr
    assert f"{moved}/.venv" in (moved / ".venv/bin/alembic").read_text()
    assert "made" not in run_command(moved).stdout


def test_a_move_is_noticed_where_uv_alone_made_the_environment(project: Path) -> None:
    run_command(project)
    (project / ".venv/.made-in").unlink()
    moved = project.rename(project.with_name("after"))

    assert "was moved from" in run_command(moved).stderr
