"""Which changes of files call for a restart."""

from collections.abc import AsyncIterator
from pathlib import Path

from watchfiles import Change, awatch

ENTRY_POINTS = ("main.py", "run_*_worker.py", ".env")


async def changed_code(root: Path) -> AsyncIterator[list[str]]:
    """Yield what changed below `app/`, relative to the checkout.

    Raises OSError or RuntimeError where the system cannot watch files.
    """
    async for changes in awatch(root / "app"):
        yield _names(changes, root)


async def changed_entry_points(root: Path) -> AsyncIterator[list[str]]:
    """Yield which entry points changed, or came: a new queue brings one."""

    def is_entry_point(_: Change, path: str) -> bool:
        return any(Path(path).match(pattern) for pattern in ENTRY_POINTS)

    # The folder and not the files: a file that an editor replaces is lost to a watch of itself.
    async for changes in awatch(root, recursive=False, watch_filter=is_entry_point):
        yield _names(changes, root)


def _names(changes: set[tuple[Change, str]], root: Path) -> list[str]:
    return sorted({str(Path(path).relative_to(root)) for _, path in changes})
