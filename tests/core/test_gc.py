from app.core.config import Settings
from tests.support.processes import run_process

CREATE_CYCLES = """
import gc, weakref
from app.core.gc import THRESHOLDS, tune_garbage_collection

class Cycle:
    def __init__(self):
        self.own = self

tune_garbage_collection()
assert gc.get_freeze_count() > 1_000, "what exists is exempt"
first = weakref.ref(Cycle())
rest = [[] for _ in range(2 * THRESHOLDS[0])]
assert first() is None, "garbage in a cycle is collected"
"""


async def test_imports_are_exempt_from_collection_and_garbage_in_cycles_is_not(
    settings: Settings,
) -> None:
    async with run_process(settings, "-c", CREATE_CYCLES) as process:
        assert await process.wait_for_exit() == 0, process.output
