"""Replace several files together or not at all."""

import shutil
import signal
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

SIGNALS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}


def replace_all(root: Path, texts: Mapping[str, str], staged: Path) -> None:
    """Write the texts to the folder `staged`, then move them into place. Undo all if one fails."""
    with ExitStack() as undo:
        for number, (file, text) in enumerate(texts.items()):
            new, old, path = staged / f"{number}.new", staged / f"{number}.old", root / file
            new.write_text(text)
            for folder in _missing_folders(path.parent):
                folder.mkdir()
                undo.callback(folder.rmdir)
            if path.exists():
                shutil.copymode(path, new)
                shutil.copy2(path, old)
                new.replace(path)
                undo.callback(old.replace, path)
            else:
                new.replace(path)
                undo.callback(path.unlink)
        undo.pop_all()


@contextmanager
def signals_deferred() -> Iterator[None]:
    """Delay signals until the block ends. A Ctrl-C between two files would leave half a change."""
    pending: list[int] = []
    handlers = {number: signal.signal(number, lambda n, _: pending.append(n)) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for received in pending:
            signal.raise_signal(received)


def _missing_folders(folder: Path) -> list[Path]:
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    return missing[::-1]
