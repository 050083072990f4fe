"""The content of the generated pages, and the check that they are up to date."""

from pathlib import Path

import pytest

from dev.docs import log_events
from dev.docs.__main__ import PAGES, main
from dev.docs.settings import Entry, entries_of, page
from tests.support.servers import ROOT

EXAMPLE = """\
# How to use this file.

## Email
# The mail server.
# Without it, emails are caught.
# SMTP_HOST=localhost
SMTP_PORT=1025

## Login
# The issuer.
# OIDC_<NAME>_ISSUER=https://accounts.example.com
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The sources of the generated pages."""
    (tmp_path / "docs").mkdir()
    for folder in ("app", "alembic"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    (tmp_path / ".env.example").write_text((ROOT / ".env.example").read_text())
    return tmp_path


def test_a_setting_is_described_by_the_comment_above_it() -> None:
    assert [*entries_of(EXAMPLE)] == [
        Entry("Email", "SMTP_HOST", "localhost", "The mail server. Without it, emails are caught."),
        Entry("Email", "SMTP_PORT", "1025", ""),
        Entry("Login", "OIDC_<NAME>_ISSUER", "https://accounts.example.com", "The issuer."),
    ]


@pytest.fixture(scope="module")
def settings_page() -> str:
    return page(ROOT)


@pytest.mark.parametrize(
    "row",
    [
        "| `SMTP_TLS` | `none`, `starttls`, `tls` | `none` | How the connection is encrypted. |",
        "| `PASSWORD_MIN_LENGTH` | integer from 8 to 64 | `8` | The shortest password",
        "| `SMTP_PASSWORD` | secret |  | The password at the mail server. |",
        "| `CORS_CREDENTIALS` | `true`, `false` | `false` | Whether",
        "| `METRICS_PORT` | integer from 1 to 65535 |  | The first port",
        "They still verify and decrypt. `docs/operating.md` explains",
    ],
)
def test_a_setting_is_listed_with_its_values_and_its_default(settings_page: str, row: str) -> None:
    assert row in settings_page


def test_every_setting_has_a_meaning() -> None:
    assert all(entry.meaning for entry in entries_of((ROOT / ".env.example").read_text()))


def test_a_log_line_without_a_meaning_is_reported_with_its_module(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app/shop.py").write_text('log.info("order.shipped", order=order.id)\n')

    with pytest.raises(ValueError, match=r'app/shop\.py logs "order\.shipped": add its meaning'):
        log_events.page(tmp_path)


def test_a_meaning_without_a_log_line_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r'explains "request\.finished", which nothing logs'):
        log_events.page(tmp_path)


def test_the_command_writes_outdated_pages_and_leaves_the_others_alone(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([], project) == 0
    assert capsys.readouterr().out == "".join(f"wrote {name}\n" for name in PAGES)

    assert main([], project) == 0
    assert not capsys.readouterr().out


def test_the_check_fails_for_an_outdated_page_and_writes_nothing(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main([], project)
    (project / "docs/settings.md").write_text("outdated")
    capsys.readouterr()

    assert main(["--check"], project) == 1
    assert "docs/settings.md is out of date" in capsys.readouterr().err
    assert (project / "docs/settings.md").read_text() == "outdated"


def test_the_command_explains_what_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / ".env.example").write_text(EXAMPLE)

    assert main([], tmp_path) == 1
    assert "which nothing logs" in capsys.readouterr().err
