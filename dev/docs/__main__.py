"""The command: `.venv/bin/python -m dev.docs [--check]`."""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from dev.docs import __doc__ as usage
from dev.docs import log_events, settings

ROOT = Path(__file__).parents[2]
PAGES: Mapping[str, Callable[[Path], str]] = {
    "docs/settings.md": settings.page,
    "docs/log-events.md": log_events.page,
}


def main(arguments: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """Write the pages that have changed, and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m dev.docs",
        description=usage,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--check", action="store_true", help="write nothing, and fail if a page is out of date"
    )
    check = parser.parse_args(arguments).check
    try:
        made = {name: make(root) for name, make in PAGES.items()}
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    outdated = {name: text for name, text in made.items() if _text_of(root / name) != text}
    for name, text in outdated.items():
        if check:
            sys.stderr.write(f"{name} is out of date. Run: .venv/bin/python -m dev.docs\n")
        else:
            (root / name).write_text(text)
            sys.stdout.write(f"wrote {name}\n")
    return 1 if check and outdated else 0


def _text_of(path: Path) -> str | None:
    return path.read_text() if path.exists() else None


if __name__ == "__main__":
    sys.exit(main())
