"""The changes of files that require a restart."""

from collections.abc import AsyncIterator
from pathlib import Path

from watchfiles import Change, awatch

ENTRY_POINTS = ("main.py", "run_*_worker.py", ".env")


async def changed_code(root: Path) -> AsyncIterator[list[str]]:
    """Yield the changed files below `app/`, relative to the checkout.

    Raise OSError or RuntimeError if the system cannot watch files.
    """
    async for changes in awatch(root / "app"):
        yield _names(changes, root)


async def changed_entry_points(root: Path) -> AsyncIterator[list[str]]:
    """Yield the changed entry points, including new ones, such as that of a new queue."""

    def is_entry_point(_: Change, path: str) -> bool:
        return any(Path(path).match(pattern) for pattern in ENTRY_POINTS)

    # Watch the folder: a watch of a file ends when an editor replaces the file.
    async for changes in awatch(root, recursive=False, watch_filter=is_entry_point):
        yield _names(changes, root)


def _names(changes: set[tuple[Change, str]], root: Path) -> list[str]:
    return sorted({str(Path(path).relative_to(root)) for _, path in changes})
