"""All pages and their static files."""

from collections.abc import Iterable
from http import HTTPStatus
from pathlib import Path

import structlog
from fastapi import APIRouter, FastAPI

from app.core.config import Settings
from app.core.http.docs import Assets
from app.routes.pages import (
    account,
    api_keys,
    deletion,
    export,
    home,
    login,
    passkeys,
    password,
    proof,
    providers,
    recovery,
    reports,
    second_factor,
    sessions,
    signup,
    takeover,
)
from app.routes.pages.failures import show_not_found

FILES = Path(__file__).parents[2] / "static/pages"

ROUTERS = (
    home.router,
    login.router,
    signup.router,
    recovery.router,
    takeover.router,
    account.router,
    proof.router,
    password.router,
    second_factor.router,
    passkeys.router,
    sessions.router,
    api_keys.router,
    providers.router,
    reports.router,
    export.router,
    deletion.router,
)


log = structlog.stdlib.get_logger(__name__)


def add_pages(app: FastAPI, settings: Settings, more: Iterable[APIRouter] = ()) -> None:
    """Serve the account pages and further routers, unless ACCOUNT_PAGES disables them."""
    if not settings.account_pages:
        _warn_about_links(settings)
        return
    for router in (*ROUTERS, *more):
        # FastAPI's `include_router` would build the routes again, and match at one more level.
        app.router.routes.extend(router.routes)
    app.add_exception_handler(HTTPStatus.NOT_FOUND, show_not_found)
    app.mount("/assets", Assets(directory=FILES))


def _warn_about_links(settings: Settings) -> None:
    if settings.front_end_url is None:
        log.warning(
            "pages.missing",
            consequence="links in emails point to PUBLIC_URL, which has no pages",
            cure="set FRONT_END_URL, or ACCOUNT_PAGES=true",
        )
