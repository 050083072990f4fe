"""The scopes of pages, for any visitor or for a user whose browser has a session cookie."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, Request
from fastapi.params import Depends as Dependency

from app.core.exceptions import Unauthenticated
from app.core.http.paths import route_path
from app.routes.deps.principals import Check
from app.routes.deps.request import open_request_scope, resources_of, scope_dependency
from app.routes.pages.login_steps import SECOND_FACTOR
from app.routes.pages.session_cookie import read_session
from app.routes.pages.visit import PageVisit
from app.services.auth.page_session import authenticate_visit
from app.services.auth.principal import Principal
from app.services.auth.reauthentication import RECENT_MINUTES
from app.services.auth.session_service import SessionService
from app.services.scope import Scope

WITHOUT_SECOND_FACTOR = (SECOND_FACTOR, "/account/passkeys", "/account/confirm", "/logout")
"""The pages that superusers can use before they have set up a required second factor."""


def page_scope(*checks: Check) -> Dependency:
    """Open the scope of a user who is logged in and passes the checks.

    Raise Unauthenticated, SecondFactorMissing, or what a check raises.
    """

    async def open_page_scope(request: Request) -> AsyncIterator[Scope]:
        principal = await _principal_of(request)
        for check in checks:
            check(principal)
        async with open_request_scope(request, principal) as scope:
            yield scope

    return scope_dependency(open_page_scope)


def check_recent_proof(principal: Principal) -> None:
    """Raise RecentProofRequired if only the session shows who the user is: it may be stolen."""
    principal.require_recent_proof(minutes=RECENT_MINUTES)


async def find_visitor(request: Request) -> Principal | None:
    """Return the user who is logged in, if any."""
    try:
        principal, _ = await _authenticate(request)
    except Unauthenticated:
        return None
    return principal


AccountScope = Annotated[Scope, page_scope()]
"""For users who are logged in."""

ProvenScope = Annotated[Scope, page_scope(check_recent_proof)]
"""For users who have recently proven who they are."""

Visitor = Annotated[Principal | None, Depends(find_visitor)]


async def _principal_of(request: Request) -> Principal:
    principal, is_due = await _authenticate(request)
    request.state.principal = principal
    if is_due:
        # In a separate transaction, so that the visit counts even if the page is rejected.
        async with open_request_scope(request, principal) as scope:
            request.state.session_expires_at = await SessionService(scope).touch()
    if not route_path(request.scope).startswith(WITHOUT_SECOND_FACTOR):
        principal.require_second_factor(resources_of(request).settings)
    return principal


async def _authenticate(request: Request) -> tuple[Principal, bool]:
    """Return the principal, and whether the session is due to be touched.

    End the session if its cookie was copied.
    """
    cookie = read_session(PageVisit(request))
    try:
        return await authenticate_visit(resources_of(request).reader, cookie)
    except Unauthenticated:
        if cookie is not None:
            async with open_request_scope(request) as scope:
                await SessionService(scope).end_copied_page_session(cookie)
        raise
