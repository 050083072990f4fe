"""The service inside the test's process, with the resources of the test."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import replace

import httpx2
from fastapi import APIRouter, FastAPI
from starlette.types import Receive, Scope, Send

from app.core.config import Settings
from app.core.resources import OpenResources, Resources
from app.core.setup import create_application


def with_settings(resources: Resources, **changes: object) -> Resources:
    """Return the resources with some settings changed."""
    return replace(resources, settings=resources.settings.model_copy(update=changes))


def already_open(resources: Resources) -> OpenResources:
    """Return a replacement for the opening of resources, which yields open resources."""

    @asynccontextmanager
    async def open_resources(_: Settings) -> AsyncIterator[Resources]:
        yield resources

    return open_resources


@asynccontextmanager
async def serve(
    what: FastAPI | Resources,
    base_url: str = "http://test",
    *,
    address: str = "127.0.0.1",
    routes: APIRouter | None = None,
) -> AsyncIterator[httpx2.AsyncClient]:
    """Serve an application, or the service with these resources, and yield a client of it.

    `routes` are additional routes of a test.
    """
    app = what if isinstance(what, FastAPI) else build_service(what, routes)
    async with app.router.lifespan_context(app) as state:

        async def with_state(scope: Scope, receive: Receive, send: Send) -> None:
            await app({**scope, "state": dict(state or {})}, receive, send)

        transport = httpx2.ASGITransport(app=with_state, client=(address, 50_000))
        async with httpx2.AsyncClient(transport=transport, base_url=base_url) as client:
            yield client


_services: list[tuple[Settings, APIRouter | None, FastAPI]] = []
_resources: ContextVar[Resources] = ContextVar("the resources of the service that starts")


def build_service(resources: Resources, routes: APIRouter | None = None) -> FastAPI:
    """Return the service for these settings. It is built only once, because that is slow.

    The ports of OpenID Connect providers, which differ between tests, do not matter here.
    """

    @asynccontextmanager
    async def open_resources(_: Settings) -> AsyncIterator[Resources]:
        yield _resources.get()

    _resources.set(resources)
    wanted = with_settings(resources, oidc_providers={}).settings
    for settings, added, service in _services:
        if added is routes and settings == wanted:
            return service
    service = create_application(wanted, open_resources=open_resources)
    if routes is not None:
        service.include_router(routes)
    _services.append((wanted, routes, service))
    return service
