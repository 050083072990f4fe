"""The counted statuses of the responses."""

from collections.abc import Callable

RecordStatus = Callable[[int], None]
