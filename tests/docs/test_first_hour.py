"""Every block of docs/first-hour.md works as a newcomer types it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.dev.checkout import DevServer, run_bin_dev
from tests.support.guide import Step, copy_the_project
from tests.support.pages import page
from tests.support.ports import free_port_pair
from tests.support.servers import ROOT
from tests.support.terminal import looks_like, terminal

CLONE = "git clone https://github.com/example/fastapi-boilerplate shop\ncd shop\nbin/dev\n"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A Git repository with the present project and the installed packages."""
    clone = tmp_path / "shop"
    copy_the_project(clone)
    (clone / ".venv").symlink_to(sys.prefix)
    if (ROOT / ".uv").exists():
        (clone / ".uv").symlink_to(ROOT / ".uv")
    for command in ("init", "add .", "commit --message start"):
        subprocess.run(  # noqa: S603  our own
            ["git", "-c", "user.name=ada", "-c", "user.email=ada@example.com", *command.split()],  # noqa: S607
            cwd=clone,
            check=True,
            capture_output=True,
        )
    return clone


@pytest.mark.checkout
def test_every_command_of_the_first_hour_does_what_the_page_shows(clone: Path) -> None:
    first, *blocks = page("docs/first-hour.md").blocks
    assert first.text == CLONE
    port = str(free_port_pair())

    with run_bin_dev(clone, PORT=port) as dev, terminal(clone, {**os.environ}) as shell:
        dev.wait_for("Ready")
        inbox = dev.wait_for("Caught emails").split()[-1]
        output = ""
        for block in blocks:
            text = block.text.replace("http://localhost:8001", inbox).replace(":8000", f":{port}")
            if block.language == "sh":
                output = shell.type(text)
            elif block.language == "log":
                wait_for_line_like(dev, text)
            elif block.title:
                Step(block.language, block.title, text).apply(clone)
            else:
                assert looks_like(output, text), f"instead of\n{text}\nit printed\n{output}"


def wait_for_line_like(dev: DevServer, expected: str) -> None:
    """Read until the line of bin/dev that a document shows. Raise AssertionError without one."""
    constant = max(expected.split("…"), key=len).strip()
    while not looks_like(dev.wait_for(constant), expected):
        pass
