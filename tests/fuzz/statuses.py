"""The statuses of responses, which a run counts."""

from collections.abc import Callable

RecordStatus = Callable[[int], None]
