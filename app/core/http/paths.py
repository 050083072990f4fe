"""Paths without the prefix under which the service runs."""

from starlette.types import Scope

HEALTH = "/health/"
"""Load balancers and monitors call these paths every few seconds, by IP address and under load."""


def route_path(scope: Scope) -> str:
    """Return the path without the prefix of `--root-path`."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))


def is_health_check(scope: Scope) -> bool:
    path: str = scope["path"]  # inlined, because every layer calls this
    return path.removeprefix(scope.get("root_path", "")).startswith(HEALTH)


def route_template(scope: Scope) -> str | None:
    """Return the path as its route declares it, such as `/api/v1/users/{user_id}`.

    Return None if no route matched. The path itself may contain an email address or a token.
    """
    template: str | None = getattr(scope.get("route"), "path_format", None)
    if template is None:
        return None
    values: dict[str, object] = scope.get("path_params", {})
    if any("/" in str(value) or f"{{{name}}}" not in template for name, value in values.items()):
        return template
    # The route does not know the prefix with which its router was included.
    segments = route_path(scope).split("/")
    return "/".join(segments[: len(segments) - template.count("/")]) + template
