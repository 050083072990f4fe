"""Reject migrations that lock a large table or break the previous version of the service.

An exception is a comment in the migration, with its reason:

    # squawk-ignore ban-drop-column: the version before the last one read it
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import Script, ScriptDirectory

from app.core.config import Settings

ROOT = Path(__file__).parents[1]
SQUAWK = Path(sys.executable).with_name("squawk")
EXCEPTION = re.compile(r"^# squawk-ignore ([\w-]+)(?:: *(\S.*))?$", re.MULTILINE)


@dataclass(frozen=True)
class Finding:
    """A statement of a migration, and the rule that it breaks."""

    migration: str
    rule: str
    message: str
    statement: str

    def __str__(self) -> str:
        return f"{self.migration}: {self.rule}: {self.message}\n    {self.statement}"


def main(root: Path = ROOT) -> int:
    """Print the problems of the migrations, and return the exit code."""
    config = Config(root / "alembic.ini")
    scripts = list(ScriptDirectory.from_config(config).walk_revisions())
    problems = [str(problem) for script in scripts for problem in check_migration(config, script)]
    for problem in problems:
        sys.stdout.write(f"{problem}\n")
    if problems:
        sys.stdout.write(
            "docs/deployment.md explains how to change a table without downtime. An exception is a "
            "line in the migration: # squawk-ignore RULE: REASON\n"
        )
    return 1 if problems else 0


def check_migration(config: Config, script: Script) -> Iterator[Finding | str]:
    """Return the findings for which the migration makes no exception."""
    source = Path(script.path).read_text()
    exceptions = dict(EXCEPTION.findall(source))
    for rule, reason in exceptions.items():
        if not reason:
            yield f"{script.revision}: the exception for {rule} has no reason"
    found = [*lint(script.revision, sql_of(config, script))]
    yield from (finding for finding in found if finding.rule not in exceptions)
    for rule in exceptions.keys() - {finding.rule for finding in found}:
        yield f"{script.revision}: nothing needs the exception for {rule}"


def sql_of(config: Config, script: Script) -> str:
    """Return the statements that a migration sends."""
    written = StringIO()
    offline = Config(config.config_file_name, output_buffer=written)
    offline.set_main_option("script_location", config.get_main_option("script_location") or "")
    offline.attributes["settings"] = Settings(_env_file=None, environment="test")
    before = script.down_revision or "base"
    assert isinstance(before, str), "a migration that merges others has no statements"
    command.upgrade(offline, f"{before}:{script.revision}", sql=True)
    return written.getvalue()


def lint(name: str, sql: str) -> Iterator[Finding]:
    """Return the findings of squawk. .squawk.toml lists the excluded rules with their reasons."""
    done = subprocess.run(  # noqa: S603  a program of our environment
        [SQUAWK, "--reporter=json", f"--config={ROOT / '.squawk.toml'}"],
        input=sql,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode not in {0, 1}:
        raise RuntimeError(f"squawk failed: {done.stderr}")
    lines = sql.splitlines()
    findings: Sequence[dict[str, object]] = json.loads(done.stdout or "[]")
    for finding in findings:
        statement = lines[int(str(finding["line"]))].strip() if lines else ""
        yield Finding(name, str(finding["rule_name"]), str(finding["message"]), statement)


if __name__ == "__main__":
    sys.exit(main())
