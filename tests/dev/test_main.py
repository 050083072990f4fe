"""The command line of bin/dev, in this process."""

import sys

import pytest

from dev.__main__ import main


@pytest.mark.parametrize(
    ("arguments", "port", "exit_code", "said"),
    [
        (["--help"], "8000", 0, "It keeps its data in .dev/"),
        (["--frehs"], "8000", 2, "unrecognized arguments: --frehs"),
        ([], "http", 2, "PORT is 'http', but a port is a number"),
    ],
)
def test_the_command_line_is_explained(  # noqa: PLR0913, PLR0917  a table and two fixtures
    arguments: list[str],
    port: str,
    exit_code: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["bin/dev", *arguments])
    monkeypatch.setenv("PORT", port)
    with pytest.raises(SystemExit) as end:
        main()

    assert end.value.code == exit_code
    assert said in "".join(capsys.readouterr())
