"""A copy of the files that bin/new reads and writes."""

import shutil
from pathlib import Path

import pytest

from tests.support.servers import ROOT

PARTS = ("app", "alembic", "docs", "tests/routes")
FILES = ("docker-compose.yml", "pyproject.toml")


@pytest.fixture(scope="package")
def untouched_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project, for commands that change nothing."""
    return _copy(tmp_path_factory.mktemp("untouched"))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the project, for commands that change it."""
    return _copy(tmp_path)


def _copy(place: Path) -> Path:
    for part in PARTS:
        shutil.copytree(
            ROOT / part, place / part, ignore=shutil.ignore_patterns("__pycache__", "static")
        )
    for file in FILES:
        shutil.copy(ROOT / file, place / file)
    return place
