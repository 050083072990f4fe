"""Log in with another provider's account. A browser follows these links."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import Query, Response, status
from fastapi.responses import RedirectResponse

from app.core.config import Settings
from app.core.exceptions import SecondFactorRequired
from app.core.http.routing import Router
from app.core.oidc.authorization_response import AuthorizationResponse
from app.core.oidc.errors import InvalidResponse, ProviderUnavailable
from app.routes.deps.device_cookie import set_device_cookie
from app.routes.deps.oidc_cookie import OidcCookie, delete_oidc_cookie, set_oidc_cookie
from app.routes.deps.refresh_cookie import set_refresh_cookie
from app.routes.deps.request import AnonymousScope
from app.routes.pages import providers as pages
from app.routes.pages.notices import Notice
from app.routes.pages.visit import Visit
from app.schemas.oidc import LocalPath, OidcProviderPublic, ProviderName
from app.services.auth.actor import EmailNotConfirmed
from app.services.auth.identity_service import (
    AccountNotLinked,
    AccountNotVerified,
    EmailNotVerifiedByProvider,
    IdentityNeedsPassword,
    IdentityTaken,
    SessionEnded,
)
from app.services.auth.login_service import EmailNotVerified, InactiveUser
from app.services.auth.oidc_service import LoginDenied, LoginExpired, OidcService

router = Router(prefix="/login/oidc", tags=["oidc"])

CODES: dict[type[Exception], str] = {
    LoginExpired: "login_expired",
    LoginDenied: "login_denied",
    InvalidResponse: "invalid_answer",
    ProviderUnavailable: "provider_unavailable",
    EmailNotVerifiedByProvider: "address_not_verified",
    AccountNotVerified: "account_not_verified",
    AccountNotLinked: "account_not_linked",
    EmailNotConfirmed: "own_address_not_verified",
    IdentityNeedsPassword: "password_needed",
    IdentityTaken: "identity_taken",
    SessionEnded: "session_ended",
    InactiveUser: "inactive_user",
    EmailNotVerified: "email_not_verified",
}
"""The error code of each failure in the URL to which the browser is redirected."""


@router.get("")
async def read_providers(scope: AnonymousScope) -> list[OidcProviderPublic]:
    """List the providers that users can log in with."""
    base = str(scope.settings.public_url).rstrip("/") + "/api/v1/login/oidc/"
    return [
        OidcProviderPublic(name=name, login_url=base + name)
        for name in scope.settings.oidc_providers
    ]


@router.get("/{provider}", status_code=status.HTTP_303_SEE_OTHER, response_class=RedirectResponse)
async def begin_login(
    scope: AnonymousScope, provider: ProviderName, path: LocalPath = "/"
) -> RedirectResponse:
    """Redirect a browser to a provider. After the login, it returns to `path` of FRONT_END_URL."""
    redirect = await OidcService(scope).begin(provider, path)
    response = RedirectResponse(redirect.authorization_url, status.HTTP_303_SEE_OTHER)
    set_oidc_cookie(response, redirect)
    return response


@router.get(
    "/{provider}/callback",
    status_code=status.HTTP_303_SEE_OTHER,
    response_class=RedirectResponse,
)
async def finish_login(
    visit: Visit,
    scope: AnonymousScope,
    provider: ProviderName,
    authorization: Annotated[AuthorizationResponse, Query()],
    cookie: OidcCookie = None,
) -> Response:
    """Finish a login, and redirect the browser with a refresh token in its cookie.

    After a failure, the URL has `error` and `error_description` instead. For a user with a second
    factor, it has `#second_factor_token=`, the token for /login/second-factor.
    """
    logins = OidcService(scope)
    try:
        login = logins.read_state(provider, authorization, cookie)
    except LoginExpired as refusal:
        # The cookie stays: a response for another login, or a forged one, does not end this one.
        if scope.settings.serves_pages_only:
            return visit.redirect("/login", Notice.LOGIN_EXPIRED)
        return redirect_to_front_end(scope.settings, "/", refusal)
    if login.for_pages:
        return await pages.finish_login(visit, scope, login, authorization)
    try:
        tokens = await logins.finish(login, authorization)
    except SecondFactorRequired as challenge:
        response = redirect_to_front_end(scope.settings, login.path, token=challenge.token)
    except tuple(CODES) as refusal:
        response = redirect_to_front_end(scope.settings, login.path, refusal)
    else:
        response = redirect_to_front_end(scope.settings, login.path)
        if tokens is not None:
            set_refresh_cookie(response, tokens.refresh_token, tokens.expires_at)
            if tokens.device is not None:
                set_device_cookie(response, tokens.device)
    delete_oidc_cookie(response)
    return response


def redirect_to_front_end(
    settings: Settings, path: str, refusal: Exception | None = None, *, token: str | None = None
) -> RedirectResponse:
    url = str(settings.front_end_url or settings.public_url).rstrip("/") + path
    if refusal is not None:
        problem = {"error": CODES[type(refusal)], "error_description": str(refusal)}
        url += ("&" if "?" in url else "?") + urlencode(problem)
    if token is not None:
        # Browsers do not send the fragment to servers, so the token appears in no log.
        url += "#" + urlencode({"second_factor_token": token})
    return RedirectResponse(url, status.HTTP_303_SEE_OTHER)
