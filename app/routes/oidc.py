"""Logging in with a provider: a browser goes there and comes back, and ends up at FRONT_END_URL."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, status
from fastapi.responses import RedirectResponse

from app.core.config import Settings
from app.core.exceptions import SecondFactorNeeded
from app.core.oidc.answer import Answer
from app.core.oidc.errors import InvalidAnswer, ProviderUnavailable
from app.routes.deps import CurrentSettings
from app.routes.oidc_cookie import OidcCookie, delete_oidc_cookie, set_oidc_cookie
from app.routes.refresh_cookie import set_refresh_cookie
from app.routes.services import OidcLogins
from app.schemas.oidc import LocalPath, OidcProviderPublic
from app.services.identity_service import (
    AccountNotVerified,
    AddressNotVerified,
    IdentityTaken,
    OwnAddressNotVerified,
    SessionEnded,
)
from app.services.login_service import EmailNotVerified, InactiveUser
from app.services.oidc_service import LoginDenied, LoginExpired

router = APIRouter(prefix="/login/oidc", tags=["oidc"])

CODES: dict[type[Exception], str] = {
    LoginExpired: "login_expired",
    LoginDenied: "login_denied",
    InvalidAnswer: "invalid_answer",
    ProviderUnavailable: "provider_unavailable",
    AddressNotVerified: "address_not_verified",
    AccountNotVerified: "account_not_verified",
    OwnAddressNotVerified: "own_address_not_verified",
    IdentityTaken: "identity_taken",
    SessionEnded: "session_ended",
    InactiveUser: "inactive_user",
    EmailNotVerified: "email_not_verified",
}
"""What a failure is called in the address of the page where the browser ends up."""


@router.get("")
async def read_providers(settings: CurrentSettings) -> list[OidcProviderPublic]:
    """List the providers that people may log in with."""
    base = str(settings.public_url).rstrip("/") + "/api/v1/login/oidc/"
    return [
        OidcProviderPublic(name=name, login_url=base + name) for name in settings.oidc_providers
    ]


@router.get("/{provider}", status_code=status.HTTP_303_SEE_OTHER, response_class=RedirectResponse)
async def begin_login(logins: OidcLogins, provider: str, path: LocalPath = "/") -> RedirectResponse:
    """Send a browser to a provider. Afterwards it ends up at `path` of FRONT_END_URL."""
    beginning = await logins.begin(provider, path)
    response = RedirectResponse(beginning.authorization_url, status.HTTP_303_SEE_OTHER)
    set_oidc_cookie(response, beginning)
    return response


@router.get(
    "/{provider}/callback",
    status_code=status.HTTP_303_SEE_OTHER,
    response_class=RedirectResponse,
)
async def finish_login(
    logins: OidcLogins,
    settings: CurrentSettings,
    provider: str,
    answer: Annotated[Answer, Query()],
    cookie: OidcCookie = None,
) -> RedirectResponse:
    """Take a provider's answer, and send the browser on with a refresh token in its cookie.

    Where something went wrong, `error` and `error_description` stand in the address instead; where
    the user has a second factor, `#second_factor_token=`, which belongs to /login/second-factor.
    """
    try:
        login = logins.recall(provider, answer, cookie)
    except LoginExpired as refusal:
        # The cookie stays: the answer to another login, or a forged one, does not end this one.
        return _send_on(settings, "/", refusal)
    try:
        tokens = await logins.finish(login, answer)
    except SecondFactorNeeded as challenge:
        response = _send_on(settings, login.path, token=challenge.token)
    except tuple(CODES) as refusal:
        response = _send_on(settings, login.path, refusal)
    else:
        response = _send_on(settings, login.path)
        if tokens is not None:
            set_refresh_cookie(response, tokens.refresh_token, tokens.expires_at)
    delete_oidc_cookie(response)
    return response


def _send_on(
    settings: Settings, path: str, refusal: Exception | None = None, *, token: str | None = None
) -> RedirectResponse:
    url = str(settings.front_end_url or settings.public_url).rstrip("/") + path
    if refusal is not None:
        problem = {"error": CODES[type(refusal)], "error_description": str(refusal)}
        url += ("&" if "?" in url else "?") + urlencode(problem)
    if token is not None:
        # Behind the hash: no server is told it, and no log.
        url += "#" + urlencode({"second_factor_token": token})
    return RedirectResponse(url, status.HTTP_303_SEE_OTHER)
