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

UNUSED = {
    "cryptography": "jwt",  # access tokens have no key pairs
    "opentelemetry": "redis",  # its metrics stay off
    "pydantic.v1": None,  # FastAPI looks for models of this version, and finds none
    "pytz": "arq",  # its clock stays at UTC, and production does not have it
    "rich": "structlog",  # no log line uses it, and production does not have it
}
"""Packages that this service does not use, each with the one that would import it. None is any.

The metrics of OpenTelemetry would make every start take a third longer, and rich a tenth.
cryptography takes 9 MiB, and pydantic.v1 1.4 MiB. PyJWT without cryptography has no RS256 and no
ES256: remove its line to use them.
"""


class _UnusedPackages:
    """Hides unused packages, but only from the ones that would import them."""

    def find_spec(
        self, name: str, _: Sequence[str] | None, __: ModuleType | None = None
    ) -> ModuleSpec | None:
        for unused, importer in UNUSED.items():
            if f"{name}.".startswith(f"{unused}.") and _is_hidden_from(importer):
                raise ModuleNotFoundError(f"app/__init__.py hides {unused}", name=unused)
        return None


def _is_hidden_from(importer: str | None) -> bool:
    return importer is None or _is_being_imported(importer)


def _is_being_imported(package: str) -> bool:
    spec = getattr(sys.modules.get(package), "__spec__", None)
    return getattr(spec, "_initializing", False)


sys.meta_path.insert(0, _UnusedPackages())
gc.set_threshold(COLLECT_AFTER, *gc.get_threshold()[1:])
