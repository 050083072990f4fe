"""The command `.venv/bin/python -m dev.prose [PATH ...]`. Exit code 1 means findings."""

import argparse
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from dev.prose import __doc__ as usage
from dev.prose.texts import identifiers_of, texts_of
from dev.prose.words import unwanted_name, unwanted_opening, unwanted_words

ROOT = Path(__file__).parents[2]
KINDS = {".py", ".md", ".txt", ".html", ".lua", ".yml", ".toml", ".example", ""}
OTHERS = (
    "app/static/",
    "app/core/configuration/common_passwords.txt",
    "LICENSE",
    ".upstream",
    "uv.lock",
)
"""Files by other authors."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the findings, and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m dev.prose",
        description=usage,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("paths", nargs="*", type=Path, metavar="PATH")
    paths = parser.parse_args(arguments).paths
    files = _files_below(paths or [ROOT])
    findings = [finding for file in files for finding in findings_in(file)]
    for finding in findings:
        print(finding)  # noqa: T201  the output of a command
    return 1 if findings else 0


def findings_in(file: Path) -> Iterator[str]:
    """Yield a line for each finding, in the format of compilers."""
    name = file.relative_to(ROOT) if file.is_relative_to(ROOT) else file
    for text in texts_of(file):
        if text.describes_a_function and (problem := unwanted_opening(text.words)):
            yield f"{name}:{text.line}: {problem}"
        for offset, problem in unwanted_words(text.words):
            line = min(text.line + text.words.count("\n", 0, offset), text.last_line)
            yield f"{name}:{line}: {problem}"
    for line, identifier in identifiers_of(file):
        if problem := unwanted_name(identifier):
            yield f"{name}:{line}: {problem}"


def _files_below(paths: Sequence[Path]) -> list[Path]:
    wanted = [path.resolve() for path in paths]
    return [file for file in _tracked() if any(file.is_relative_to(path) for path in wanted)]


def _tracked() -> list[Path]:
    """List the files that Git tracks or would track, except files by other authors."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],  # noqa: S607
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    files = [ROOT / name for name in listed if not name.startswith(OTHERS)]
    return [file for file in files if file.suffix in KINDS and file.is_file()]


if __name__ == "__main__":
    sys.exit(main())
