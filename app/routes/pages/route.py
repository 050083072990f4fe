"""The routes of pages, which show failures as pages, too.

GET shows a form, and POST to the same path submits it. After a failure, the form is shown again
with its values and errors. The endpoint just raises: its scope rolls back, and then the exception
becomes a page here.
"""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.core.exceptions import RecentProofRequired, SecondFactorRequired, Unauthenticated
from app.core.http.crashes import log_crash
from app.core.http.lazy_route import LazyRoute
from app.core.http.paths import route_path
from app.routes.deps.same_origin import OwnPages
from app.routes.pages.failures import is_about_the_form, show_failure, status_of, submission_after
from app.routes.pages.login_steps import (
    SECOND_FACTOR,
    ask_for_login,
    ask_for_proof,
    ask_for_second_factor,
)
from app.routes.pages.notices import Notice
from app.routes.pages.visit import PageVisit
from app.schemas.oidc import MAX_LOCAL_PATH
from app.services.auth.principal import SecondFactorMissing


class PageRoute(LazyRoute):
    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:  # noqa: ANN401  FastAPI's own
        options["dependencies"] = [OwnPages, *(options["dependencies"] or ())]
        super().__init__(path, endpoint, **options | {"include_in_schema": False})

    def _around(self, app: ASGIApp) -> ASGIApp:
        """Show failures as pages."""
        handlers = {Exception: self._show}

        async def with_handlers(scope: Scope, receive: Receive, send: Send) -> None:
            await app({**scope, "starlette.exception_handlers": (handlers, {})}, receive, send)

        return with_handlers

    async def _show(self, request: Request, failure: Exception) -> Response:
        visit = PageVisit(request)
        form = self._form(request)
        match failure:
            case Unauthenticated():
                return ask_for_login(visit, back_to=_page_of(request, form))
            case RecentProofRequired():
                return ask_for_proof(visit, back_to=_page_of(request, form))
            case SecondFactorRequired():
                back_to = request.query_params.get("next", "/account")
                return ask_for_second_factor(visit, failure, back_to=back_to)
            case SecondFactorMissing():
                return visit.redirect(SECOND_FACTOR, Notice.SECOND_FACTOR_NEEDED)
        status = status_of(failure)
        if status == HTTPStatus.INTERNAL_SERVER_ERROR:
            log_crash(request.scope, failure)
        if form is not None and request.method == "POST" and is_about_the_form(failure):
            request.state.submission = submission_after(failure, await request.form())
            return FormResponse(form, status)
        return show_failure(visit, failure)

    def _form(self, request: Request) -> "PageRoute | None":
        """Return the GET route of this path."""
        return next(
            (
                route
                for route in request.app.routes
                if isinstance(route, PageRoute)
                and route.path == self.path
                and "GET" in (route.methods or ())
            ),
            None,
        )


class FormResponse(Response):
    """The response of the GET route, with the status of the failure."""

    def __init__(self, route: PageRoute, status: int) -> None:
        super().__init__(status_code=status)
        self.route = route

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_status(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == HTTPStatus.OK:
                message["status"] = self.status_code
            await send(message)

        await self.route.app({**scope, "method": "GET"}, receive, send_with_status)


def page_router() -> APIRouter:
    return APIRouter(route_class=PageRoute, default_response_class=Response)


def _page_of(request: Request, form: PageRoute | None) -> str:
    """Return the page from which a request was sent: its own path, or the section of a button."""
    path = route_path(request.scope)
    if form is None:
        return "/".join(path.split("/")[:3])
    query = request.url.query
    with_query = f"{path}?{query}"
    return with_query if query and len(with_query) <= MAX_LOCAL_PATH else path
