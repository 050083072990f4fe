"""The routers of the service and their prefixes."""

from typing import Protocol

from fastapi import FastAPI

from app.core.http.routing import RouteIndex, Router, include_flat
from app.routes import (
    api_keys,
    audit,
    dead_letters,
    health,
    identities,
    items,
    job_classes,
    jobs,
    login,
    oidc,
    passkeys,
    personal_data,
    queues,
    reports,
    roles,
    second_factor,
    user_access,
    users,
    utils,
    workers,
)


class RouterModule(Protocol):
    """A module with a router. Its docstring describes the router's tag in the OpenAPI document."""

    __doc__: str | None
    router: Router


MODULES: tuple[RouterModule, ...] = (
    login,
    oidc,
    personal_data,
    users,
    identities,
    second_factor,
    passkeys,
    api_keys,
    user_access,
    items,
    roles,
    reports,
    jobs,
    queues,
    dead_letters,
    job_classes,
    workers,
    audit,
    utils,
)


def include_routers(app: FastAPI) -> None:
    """Include all routes at one level, because FastAPI matches nested routers at every level."""
    include_flat(app, health.router)
    for module in MODULES:
        include_flat(app, module.router, prefix="/api/v1")
    app.router.middleware_stack = RouteIndex(app.router)


def describe_tags() -> list[dict[str, str]]:
    """Return the tags and their descriptions for the OpenAPI document."""
    return [
        {"name": str(tag), "description": module.__doc__ or ""}
        for module in (*MODULES, health)
        for tag in module.router.tags
    ]
