"""The changes of a command are made together or not at all."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.new.errors import NewError
from dev.new.replace import signals_deferred
from dev.new.tree import Tree
from tests.dev.new.support import snapshot


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """A project with two files."""
    (tmp_path / "first.py").write_text("FIRST = 1\n")
    (tmp_path / "second.md").write_text("# Second\n")
    (tmp_path / "first.py").chmod(0o755)
    return Tree(tmp_path)


def test_changes_are_written_together(tree: Tree) -> None:
    tree.edit("first.py", str.replace, "1", "2")
    tree.create("a/new/folder/third.py", "THIRD = 3\n")
    assert (tree.root / "first.py").read_text() == "FIRST = 1\n"

    assert tree.write() == ["created  a/new/folder/third.py", "changed  first.py"]
    assert (tree.root / "first.py").read_text() == "FIRST = 2\n"
    assert (tree.root / "first.py").stat().st_mode & 0o777 == 0o755
    assert (tree.root / "a/new/folder/third.py").read_text() == "THIRD = 3\n"


def test_new_code_is_formatted_and_its_imports_are_sorted(tree: Tree) -> None:
    tree.create("third.py", "import sys\nimport os\nprint( os,sys )\n")
    tree.write()

    assert (tree.root / "third.py").read_text() == "import os\nimport sys\n\nprint(os, sys)\n"


def test_a_failure_restores_every_file_and_removes_the_new_ones(tree: Tree) -> None:
    before = snapshot(tree.root)
    tree.edit("first.py", str.replace, "1", "2")
    tree.create("a/new/folder/third.py", "THIRD = 3\n")
    tree.create("second.md/fourth.md", "second.md is not a folder\n")

    with pytest.raises(NewError, match=r"Nothing was changed: .*second\.md"):
        tree.write()
    assert snapshot(tree.root) == before
    assert {path.name for path in tree.root.iterdir()} == {"first.py", "second.md"}


def test_code_that_python_cannot_read_is_not_written(tree: Tree) -> None:
    tree.edit("second.md", str.replace, "Second", "2nd")
    tree.edit("first.py", str.replace, "=", "==(")

    with pytest.raises(NewError, match=r"first.py would not be valid Python"):
        tree.write()
    assert (tree.root / "second.md").read_text() == "# Second\n"


def test_the_change_of_another_program_is_not_overwritten(tree: Tree) -> None:
    tree.edit("first.py", str.replace, "1", "2")
    (tree.root / "first.py").write_text("FIRST = 100\n")

    with pytest.raises(NewError, match=r"first.py has changed meanwhile"):
        tree.write()
    assert (tree.root / "first.py").read_text() == "FIRST = 100\n"


@pytest.fixture
def attentive_process() -> Iterator[None]:
    """Enable Ctrl-C, which a shell disables in background processes."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("attentive_process")
def test_ctrl_c_waits_until_every_file_is_written() -> None:
    steps = []
    with pytest.raises(KeyboardInterrupt), signals_deferred():  # noqa: PT012  the order is the subject
        os.kill(os.getpid(), signal.SIGINT)
        steps.append("every file is written")

    assert steps == ["every file is written"]
