"""A clock that the processes of a test believe in, and that can be put forward and back."""

from importlib.util import find_spec
from pathlib import Path

LIBRARY = "vendor/libfaketime/src/libfaketime.so.1"


class Clock:
    def __init__(self, file: Path) -> None:
        self._file = file
        self.show(0)

    def show(self, hours: int) -> None:
        """Show the true time and so many hours more, from now on."""
        beside = self._file.with_suffix(".new")
        beside.write_text(f"{hours * 3600:+d}\n")
        beside.replace(self._file)

    def variables(self) -> dict[str, str]:
        """Return what makes a process look at this clock. Its naps stay as long as they are."""
        specification = find_spec("libfaketime")
        assert specification is not None
        assert specification.origin is not None
        return {
            "LD_PRELOAD": str(Path(specification.origin).parent / LIBRARY),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
