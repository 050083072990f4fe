"""The scope of a logout, for an access token or for a browser with only the refresh cookie."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import HTTPException
from fastapi.requests import HTTPConnection

from app.core.exceptions import Unauthenticated
from app.routes.deps import refresh_cookie
from app.routes.deps.principals import Authenticated, check_is_person
from app.routes.deps.request import open_request_scope, scope_dependency
from app.routes.deps.same_origin import require_same_origin
from app.services.auth.principal import Principal
from app.services.scope import Scope


class AuthenticatedOrCookie(Authenticated):
    """Also opens the scope of a request with only the refresh cookie, if it has the same origin.

    That scope has no actor. A page that was just opened has no access token, or an expired one.
    """

    async def __call__(self, request: HTTPConnection) -> AsyncIterator[Scope]:
        principal: Principal | None = None
        try:
            principal = await self.authenticate(request)
        except (Unauthenticated, HTTPException):
            if refresh_cookie.NAME not in request.cookies:
                raise
            require_same_origin(request)
        async with open_request_scope(request, principal) as scope:
            yield scope


LogoutScope = Annotated[Scope, scope_dependency(AuthenticatedOrCookie(check_is_person))]
