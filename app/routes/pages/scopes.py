"""The scopes of pages, for any visitor or for a user whose browser has a session cookie."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Annotated

from fastapi import Depends, Request

from app.core.exceptions import Unauthenticated
from app.core.http.paths import route_path
from app.routes.deps.request import request_info, resources_of
from app.routes.pages.login_steps import SECOND_FACTOR
from app.routes.pages.session_cookie import read_session
from app.routes.pages.visit import PageVisit
from app.services.auth.page_session import authenticate_visit
from app.services.auth.principal import Principal
from app.services.auth.reauthentication import RECENT_MINUTES
from app.services.auth.session_service import SessionService
from app.services.scope import Scope, open_scope

WITHOUT_SECOND_FACTOR = (SECOND_FACTOR, "/account/passkeys", "/account/confirm", "/logout")
"""The pages that superusers can use before they have set up a required second factor."""


async def open_account_scope(request: Request) -> AsyncIterator[Scope]:
    """Open the scope of a user who is logged in. Raise Unauthenticated or SecondFactorMissing."""
    async with open_page_scope(request, await principal_of_page(request)) as scope:
        yield scope


async def open_proven_scope(request: Request) -> AsyncIterator[Scope]:
    """Open the scope of a user who has recently proven who they are.

    Raise RecentProofRequired otherwise, because a stolen session must not be enough.
    """
    principal = await principal_of_page(request)
    principal.require_recent_proof(minutes=RECENT_MINUTES)
    async with open_page_scope(request, principal) as scope:
        yield scope


async def find_visitor(request: Request) -> Principal | None:
    """Return the user who is logged in, if any."""
    try:
        principal, _ = await _authenticate(request)
    except Unauthenticated:
        return None
    return principal


async def principal_of_page(request: Request) -> Principal:
    """Return the user who is logged in. Raise Unauthenticated or SecondFactorMissing."""
    resources = resources_of(request)
    principal, is_due = await _authenticate(request)
    request.state.principal = principal
    if is_due:
        # In a separate transaction, so that the visit counts even if the page is rejected.
        async with open_page_scope(request, principal) as scope:
            request.state.session_expires_at = await SessionService(scope).touch()
    if not route_path(request.scope).startswith(WITHOUT_SECOND_FACTOR):
        principal.require_second_factor(resources.settings)
    return principal


def open_page_scope(request: Request, principal: Principal) -> AbstractAsyncContextManager[Scope]:
    resources = resources_of(request)
    return open_scope(resources, request_info(request, resources.settings), principal)


# With the scope "function", FastAPI commits before it sends the response, not after it.
AccountScope = Annotated[Scope, Depends(open_account_scope, scope="function")]
ProvenScope = Annotated[Scope, Depends(open_proven_scope, scope="function")]
Visitor = Annotated[Principal | None, Depends(find_visitor)]


async def _authenticate(request: Request) -> tuple[Principal, bool]:
    """Return the principal, and whether the session is due to be touched.

    End the session if its cookie was copied.
    """
    resources, cookie = resources_of(request), read_session(PageVisit(request))
    try:
        return await authenticate_visit(resources.reader, cookie)
    except Unauthenticated:
        if cookie is not None:
            info = request_info(request, resources.settings)
            async with open_scope(resources, info) as scope:
                await SessionService(scope).end_copied_page_session(cookie)
        raise
