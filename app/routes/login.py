"""Log in, renew tokens, log out, reset a password, and confirm an email address."""

from typing import Annotated

from fastapi import Body, Depends, Request, Response
from fastapi.responses import HTMLResponse
from fastapi.security import OAuth2PasswordRequestForm

from app.core.exceptions import Unauthenticated
from app.core.http.routing import Router
from app.routes.deps.device_cookie import set_device_cookie
from app.routes.deps.logout import LogoutScope
from app.routes.deps.principals import (
    SuperuserScope,
    UserScope,
    requires_recent,
    usable_without_second_factor,
)
from app.routes.deps.refresh_cookie import (
    BodyOrCookie,
    RefreshCookie,
    TokenDelivery,
    clear_browser,
    set_refresh_cookie,
)
from app.routes.deps.request import AnonymousScope
from app.routes.deps.same_origin import SameOrigin, is_same_origin
from app.schemas.common import Email, Message
from app.schemas.login import (
    NewPassword,
    Reauthentication,
    RefreshRequest,
    ReportTakeover,
    Token,
    VerifyEmail,
)
from app.schemas.passkey import PasskeyOptions, PasskeyProof
from app.schemas.second_factor import SecondFactorLogin, SecondFactorToken
from app.schemas.user import UserPublic
from app.services.account_service import AccountService
from app.services.auth.login_service import LoginService
from app.services.auth.mfa_login_service import MfaLoginService
from app.services.auth.passkey_login_service import PasskeyLoginService
from app.services.auth.revocation import Event, end_credentials
from app.services.auth.session_service import SessionService, Tokens
from app.services.auth.step_up_service import StepUpService
from app.services.recovery_service import RecoveryService
from app.services.scope import Scope
from app.services.takeover_service import TakeoverService

router = Router(tags=["login"])

RECOVERY_SENT = "If that email is registered, we sent a password recovery link"
TAKEOVER_REPORTED = "Everyone is logged out. We sent you a link to choose a new password"
VERIFICATION_SENT = "If that email is registered and not confirmed, we sent a link"


@router.post("/login/access-token")
async def login_access_token(
    request: Request,
    response: Response,
    form: Annotated[OAuth2PasswordRequestForm, Depends()],
    delivery: TokenDelivery,
    scope: AnonymousScope,
) -> Token:
    """Log in with an email and a password. The response has an access and a refresh token.

    A user with a second factor gets 400 and, in `second_factor`, a token for the second step.
    """
    tokens = await LoginService(scope).log_in(form.username, form.password)
    return deliver_tokens(tokens, request, response, scope, delivery)


@router.post("/login/second-factor")
async def login_second_factor(
    request: Request,
    response: Response,
    data: SecondFactorLogin,
    delivery: TokenDelivery,
    scope: AnonymousScope,
) -> Token:
    """Finish a login with a code of an authenticator app, a recovery code, or a passkey."""
    tokens = await MfaLoginService(scope).log_in(data)
    return deliver_tokens(tokens, request, response, scope, delivery)


@router.post("/login/second-factor/options")
async def begin_second_factor_passkey(
    scope: AnonymousScope, data: SecondFactorToken
) -> PasskeyOptions:
    """Return the browser's options to use one of the user's passkeys as the second factor."""
    return await MfaLoginService(scope).begin_passkey(data.token.get_secret_value())


@router.post("/login/passkey/options")
async def begin_passkey_login(scope: AnonymousScope) -> PasskeyOptions:
    """Return the browser's options to log in with a passkey alone."""
    return await PasskeyLoginService(scope).begin()


@router.post("/login/passkey")
async def login_passkey(
    request: Request,
    response: Response,
    data: PasskeyProof,
    delivery: TokenDelivery,
    scope: AnonymousScope,
) -> Token:
    """Log in with a passkey alone, without an email and a second factor."""
    tokens = await PasskeyLoginService(scope).log_in(data)
    return deliver_tokens(tokens, request, response, scope, delivery)


@router.post("/login/refresh", dependencies=[SameOrigin])
async def refresh_access_token(
    scope: AnonymousScope,
    request: Request,
    response: Response,
    cookie: RefreshCookie = None,
    data: Annotated[RefreshRequest | None, Body(title="Body")] = None,
) -> Token:
    """Exchange a refresh token from the body, or else from the cookie. It works once."""
    sessions = SessionService(scope)
    if data is not None and data.refresh_token is not None:
        tokens = await sessions.refresh(data.refresh_token.get_secret_value())
        return deliver_tokens(tokens, request, response, scope, "body")
    if cookie is not None:
        tokens = await sessions.refresh(cookie)
        return deliver_tokens(tokens, request, response, scope, "cookie")
    raise Unauthenticated


@router.post("/login/reauthenticate")
@usable_without_second_factor
async def reauthenticate(scope: UserScope, data: Reauthentication) -> Message:
    """Prove again who the user is. Some routes require a proof from the last five minutes.

    Without one, such a route answers 403 with the type `urn:problem:recent-proof-required`, and
    `proof` lists the user's methods. A login is a proof, too.
    """
    await StepUpService(scope).prove(data)
    return Message(message="Confirmed")


@router.post("/login/reauthenticate/options")
@usable_without_second_factor
async def begin_passkey_proof(scope: UserScope) -> PasskeyOptions:
    """Return the browser's options to prove with a passkey who the user is."""
    return await StepUpService(scope).begin_passkey()


@router.post("/login/test-token")
async def test_token(scope: UserScope) -> UserPublic:
    """Show the user of an access token."""
    return AccountService(scope).get()


@router.post("/logout")
@usable_without_second_factor
async def logout(scope: LogoutScope, response: Response, cookie: RefreshCookie = None) -> Message:
    """End this session and its tokens. Without an access token, the browser's cookie is enough."""
    sessions = SessionService(scope)
    if scope.actor is None:
        await sessions.end_by_refresh_token(cookie or "")
    elif scope.actor.session_id is not None:
        await sessions.end(scope.actor.session_id)
    clear_browser(response)
    return Message(message="Logged out")


@router.post("/logout/all")
@usable_without_second_factor
async def logout_everywhere(scope: UserScope, response: Response) -> Message:
    """End all of the user's sessions."""
    user_id = scope.principal.user_id
    await end_credentials(scope, user_id, Event.LOGOUT_EVERYWHERE)
    clear_browser(response)
    return Message(message="Logged out everywhere")


@router.post("/password-recovery/{email}")
async def recover_password(scope: AnonymousScope, email: Email) -> Message:
    """Send a link that resets the password. The response is the same for every email address."""
    await RecoveryService(scope).request_recovery(email)
    return Message(message=RECOVERY_SENT)


@router.post("/reset-password/")
async def reset_password(scope: AnonymousScope, data: NewPassword) -> Message:
    """Set a new password with the token of an emailed link. All sessions end."""
    await AccountService(scope).reset_password(
        data.token.get_secret_value(),
        data.new_password.get_secret_value(),
        remove_recent=data.remove_recent,
    )
    return Message(message="Password updated successfully")


@router.post(
    "/password-recovery-html-content/{email}",
    response_class=HTMLResponse,
    dependencies=[Depends(requires_recent(minutes=5))],
)
async def recover_password_html_content(scope: SuperuserScope, email: Email) -> HTMLResponse:
    """Show the email that resets a password. Its link works, and earlier links stop working."""
    preview = await RecoveryService(scope).preview_recovery(email)
    return HTMLResponse(preview.html, headers={"subject": preview.subject})


@router.post("/verify-email/")
async def verify_email(scope: AnonymousScope, data: VerifyEmail) -> Message:
    """Confirm the first or a new email address with the token of an emailed link."""
    await AccountService(scope).verify_email(data.token.get_secret_value())
    return Message(message="Email verified")


@router.post("/verify-email/{email}")
async def send_verification(scope: AnonymousScope, email: Email) -> Message:
    """Send the link that confirms an email address again. The response is always the same."""
    await RecoveryService(scope).request_verification(email)
    return Message(message=VERIFICATION_SENT)


@router.post("/report-takeover/")
async def report_takeover(scope: AnonymousScope, data: ReportTakeover) -> Message:
    """Report a takeover with the token of the link in an alert: "this wasn't me".

    All sessions and API keys end, pending changes are withdrawn, and an email lets the owner choose
    a new password.
    """
    await TakeoverService(scope).report(data.token.get_secret_value())
    return Message(message=TAKEOVER_REPORTED)


def deliver_tokens(
    tokens: Tokens, request: Request, response: Response, scope: Scope, delivery: BodyOrCookie
) -> Token:
    """Return the tokens for the body, and set the cookies of a browser and of a new device.

    A page of another site gets no cookie of a device.
    """
    if delivery == "cookie":
        set_refresh_cookie(response, tokens.refresh_token, tokens.expires_at)
    if tokens.device is not None and is_same_origin(request.headers, scope.settings):
        set_device_cookie(response, tokens.device)
    return Token(
        access_token=tokens.access_token,
        expires_in=scope.settings.access_token_lifetime,
        refresh_token=tokens.refresh_token if delivery == "body" else None,
    )
