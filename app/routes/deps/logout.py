"""Who may log out: people with an access token, or a browser that has only the refresh cookie."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import HTTPException
from fastapi.requests import HTTPConnection

from app.core.exceptions import Unauthenticated
from app.routes.deps import refresh_cookie
from app.routes.deps.principals import Authenticated, check_is_person, opening
from app.routes.deps.request import request_info, resources_of
from app.routes.deps.same_origin import require_same_origin
from app.services.auth.principal import Principal
from app.services.scope import Scope, open_scope


class LoggingOut(Authenticated):
    """Also opens the scope of a request that has only the refresh cookie of our own pages.

    That scope has no actor. A page that has just been opened has no access token, or an old one.
    """

    async def __call__(self, request: HTTPConnection) -> AsyncIterator[Scope]:
        resources = resources_of(request)
        principal: Principal | None = None
        try:
            principal = await self.authenticate(request)
        except (Unauthenticated, HTTPException):
            if refresh_cookie.NAME not in request.cookies:
                raise
            require_same_origin(request)
        info = request_info(request, resources.settings)
        async with open_scope(resources, info, principal) as scope:
            yield scope


LogoutScope = Annotated[Scope, opening(LoggingOut(check_is_person))]
