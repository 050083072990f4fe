"""A clock for the processes of a test, which can be set forward and back."""

from importlib.util import find_spec
from pathlib import Path

LIBRARY = "vendor/libfaketime/src/libfaketime.so.1"


class Clock:
    def __init__(self, file: Path) -> None:
        self._file = file
        self.show(0)

    def show(self, hours: int) -> None:
        """Show the true time plus some hours from now on."""
        beside = self._file.with_suffix(".new")
        beside.write_text(f"{hours * 3600:+d}\n")
        beside.replace(self._file)

    def variables(self) -> dict[str, str]:
        """Return the variables with which a process reads this clock. Sleeps keep their length."""
        specification = find_spec("libfaketime")
        assert specification is not None
        assert specification.origin is not None
        return {
            "LD_PRELOAD": str(Path(specification.origin).parent / LIBRARY),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
