"""The service.

Every process imports this package first, so it contains what makes all processes start faster.
"""

import gc
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

__version__ = "0.1.0"

COLLECT_AFTER = 250_000
"""New objects after which the garbage collector starts: more than any process imports.

The API creates 190,000 objects at its start, which live until its end. With Python's default of
700, the collector visits them so often that a start takes a sixth longer. With 50,000, it takes a
fifteenth longer.
"""


def _import_structlog_without_rich() -> None:
    """Import structlog as in production, where rich is not installed.

    Development tools install rich. If structlog finds it, every start takes a tenth longer,
    although no log line uses it.
    """
    if "rich" in sys.modules:
        return
    sys.modules["rich"] = None  # type: ignore[assignment]  # makes `import rich` fail
    try:
        import structlog  # noqa: F401, PLC0415
    finally:
        del sys.modules["rich"]


class _MetricsAreOff:
    """Hides the SDK of OpenTelemetry from redis-py.

    If redis-py finds it, every start takes a third longer, although its metrics stay off.
    """

    def find_spec(
        self, name: str, _: Sequence[str] | None, __: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name == "opentelemetry.sdk.metrics" and _is_being_imported("redis"):
            raise ModuleNotFoundError(name=name)
        return None


def _is_being_imported(package: str) -> bool:
    spec = getattr(sys.modules.get(package), "__spec__", None)
    return getattr(spec, "_initializing", False)


sys.meta_path.insert(0, _MetricsAreOff())
gc.set_threshold(COLLECT_AFTER, *gc.get_threshold()[1:])
_import_structlog_without_rich()
