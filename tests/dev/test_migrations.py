"""The check of migrations, tested on invented migrations."""

import shutil
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from dev.migrations import check_migration, lint, main
from tests.dev.owner import ROOT

HEAD = '''"""made up"""

import sqlalchemy as sa
from alembic import op

{comment}
revision = "made0up"
down_revision = "{before}"


def upgrade() -> None:
    {statement}


def downgrade() -> None:
    pass
'''
INDEX = 'op.create_index("ix_users_locale", "users", ["full_name"])'
NEEDS = "require-concurrent-index-creation"


def problems_of(folder: Path, statement: str, comment: str = "") -> list[str]:
    """Add a migration to a copy of the migrations, and return the findings of the check."""
    copy = folder / "alembic"
    shutil.copytree(ROOT / "alembic", copy, ignore=shutil.ignore_patterns("__pycache__"))
    config = Config(ROOT / "alembic.ini")
    config.set_main_option("script_location", str(copy))
    before = ScriptDirectory.from_config(config).get_current_head()
    text = HEAD.format(before=before, statement=statement, comment=comment)
    (copy / "versions" / "made0up.py").write_text(text)
    script = ScriptDirectory.from_config(config).get_revision("made0up")
    assert script is not None
    return [str(problem) for problem in check_migration(config, script)]


def test_our_migrations_pass() -> None:
    assert main() == 0


@pytest.mark.parametrize(
    ("rule", "statement"),
    [
        (NEEDS, INDEX),
        (
            "adding-required-field",
            'op.add_column("users", sa.Column("a", sa.Text, nullable=False))',
        ),
        ("renaming-column", 'op.alter_column("users", "full_name", new_column_name="name")'),
        ("changing-column-type", 'op.alter_column("users", "full_name", type_=sa.Integer)'),
        ("ban-drop-column", 'op.drop_column("users", "full_name")'),
        (
            "constraint-missing-not-valid",
            'op.create_check_constraint("long", "users", "length(full_name) > 1")',
        ),
    ],
)
def test_a_migration_that_locks_a_table_or_breaks_the_previous_version_is_rejected(
    tmp_path: Path, rule: str, statement: str
) -> None:
    assert any(f": {rule}: " in problem for problem in problems_of(tmp_path, statement))


@pytest.mark.parametrize(
    "statement",
    [
        'op.add_column("users", sa.Column("a", sa.Text))',
        'op.create_table("notes", sa.Column("id", sa.Uuid, primary_key=True))',
    ],
)
def test_a_migration_that_the_previous_version_does_not_notice_is_accepted(
    tmp_path: Path, statement: str
) -> None:
    assert problems_of(tmp_path, statement) == []


def test_an_exception_has_a_reason(tmp_path: Path) -> None:
    comment = f"# squawk-ignore {NEEDS}: the table has few rows"

    assert problems_of(tmp_path, INDEX, comment) == []


def test_an_exception_without_a_reason_is_rejected(tmp_path: Path) -> None:
    [problem] = problems_of(tmp_path, INDEX, f"# squawk-ignore {NEEDS}")

    assert "has no reason" in problem


def test_an_exception_that_nothing_needs_is_rejected(tmp_path: Path) -> None:
    comment = f"# squawk-ignore {NEEDS}: it was an index once"

    [problem] = problems_of(tmp_path, "pass", comment)

    assert "nothing needs the exception" in problem


def test_a_finding_shows_its_statement() -> None:
    [finding] = lint("made0up", "BEGIN;\n\nALTER TABLE users DROP COLUMN full_name;\n\nCOMMIT;\n")

    assert "ALTER TABLE users DROP COLUMN full_name;" in str(finding)
