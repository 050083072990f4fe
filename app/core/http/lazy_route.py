"""Routes that FastAPI analyzes when they are used, not when the service starts."""

from collections.abc import Callable, Iterable
from typing import Any

from fastapi.routing import APIRoute
from starlette.routing import BaseRoute, compile_path, get_name
from starlette.types import ASGIApp


class LazyRoute(APIRoute):
    """A route that FastAPI analyzes at its first request, or for the OpenAPI document.

    The analysis of one endpoint takes half a millisecond. That of all endpoints would take a sixth
    of the start and 3 MiB, and most processes serve few of them.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:  # noqa: ANN401  FastAPI's own
        self._options = options
        self.path, self.endpoint = path, endpoint
        self.name = options.get("name") or get_name(endpoint)
        self.methods = {method.upper() for method in options.get("methods") or ("GET",)}
        self.include_in_schema = options.get("include_in_schema", True)
        self.path_regex, self.path_format, self.param_convertors = compile_path(path)

    @property
    def is_analyzed(self) -> bool:
        return "_options" not in vars(self)

    def __getattr__(self, name: str) -> object:
        """Return an attribute that the analysis sets. Python calls this for missing ones only."""
        if self.is_analyzed:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        self.analyze()
        return getattr(self, name)

    def analyze(self) -> None:
        """Raise FastAPI's error for an endpoint that it does not understand."""
        super().__init__(self.path, self.endpoint, **self._options)
        # Without `app`, the route is analyzed again at the next request if this raises an error.
        app = vars(self).pop("app")
        self.app = self._around(app)
        del self._options

    def _around(self, app: ASGIApp) -> ASGIApp:
        """Return the application of the route, around FastAPI's own."""
        return app


def analyze_all(routes: Iterable[BaseRoute]) -> None:
    """Analyze all routes now. Raises the first error."""
    for route in routes:
        if isinstance(route, LazyRoute) and not route.is_analyzed:
            route.analyze()
