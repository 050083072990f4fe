from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import HTMLResponse
from fastapi.security import OAuth2PasswordRequestForm

from app.core.config import Settings
from app.core.exceptions import Unauthenticated
from app.models import User
from app.routes.deps import CurrentPrincipal, CurrentSettings, LoggedIn, Superuser
from app.routes.refresh_cookie import (
    RefreshCookie,
    delete_refresh_cookie,
    set_refresh_cookie,
)
from app.routes.same_origin import SameOrigin
from app.routes.services import Accounts, Logins, Recoveries, SecondLogins, Sessions
from app.schemas.fields import Email, Message
from app.schemas.login import NewPassword, RefreshRequest, Token, VerifyEmail
from app.schemas.second_factor import SecondFactorLogin
from app.schemas.user import UserPublic
from app.services.session_service import Tokens

router = APIRouter(tags=["login"])

Place = Annotated[
    Literal["body", "cookie"],
    Query(description="Where to put the refresh token: a browser asks for a cookie"),
]
RECOVERY_SENT = "If that email is registered, we sent a password recovery link"
VERIFICATION_SENT = "If that email is registered and not confirmed, we sent a link"


@router.post("/login/access-token")
async def login_access_token(
    logins: Logins,
    settings: CurrentSettings,
    response: Response,
    form: Annotated[OAuth2PasswordRequestForm, Depends()],
    refresh_token: Place = "body",  # noqa: S107  a place
) -> Token:
    """Log in with address and password, for an access token and one that renews it.

    Who has a second factor gets 400 and, as `second_factor`, a token for the second step.
    """
    tokens = await logins.log_in(form.username, form.password)
    return _hand_out(tokens, settings, response, refresh_token)


@router.post("/login/second-factor")
async def login_second_factor(
    second_logins: SecondLogins,
    settings: CurrentSettings,
    response: Response,
    body: SecondFactorLogin,
    refresh_token: Place = "body",  # noqa: S107  a place
) -> Token:
    """Finish a login with the code of an authenticator app, or a recovery code."""
    tokens = await second_logins.log_in(body.token.get_secret_value(), body.code.get_secret_value())
    return _hand_out(tokens, settings, response, refresh_token)


@router.post("/login/refresh", dependencies=[SameOrigin])
async def refresh_access_token(
    logins: Logins,
    settings: CurrentSettings,
    response: Response,
    cookie: RefreshCookie = None,
    body: RefreshRequest | None = None,
) -> Token:
    """Exchange a refresh token, from the body or else the cookie. It is good once."""
    if body is not None and body.refresh_token is not None:
        tokens = await logins.refresh(body.refresh_token.get_secret_value())
        return _hand_out(tokens, settings, response, "body")
    if cookie is not None:
        return _hand_out(await logins.refresh(cookie), settings, response, "cookie")
    raise Unauthenticated


@router.post("/login/test-token", response_model=UserPublic)
async def test_token(principal: CurrentPrincipal) -> User:
    """Tell whose access token this is."""
    return principal.user


@router.post("/logout")
async def logout(sessions: Sessions, principal: LoggedIn, response: Response) -> Message:
    """End this session, and with it both of its tokens."""
    if principal.session_id is not None:
        await sessions.end(principal.user.id, principal.session_id)
    delete_refresh_cookie(response)
    return Message(message="Logged out")


@router.post("/logout/all")
async def logout_everywhere(sessions: Sessions, principal: LoggedIn, response: Response) -> Message:
    """End all of one's sessions."""
    await sessions.end_all(principal.user.id, actor_id=principal.user.id)
    delete_refresh_cookie(response)
    return Message(message="Logged out everywhere")


@router.post("/password-recovery/{email}")
async def recover_password(recoveries: Recoveries, email: Email) -> Message:
    """Have a link mailed that resets the password. The answer is the same for every address."""
    await recoveries.ask_for_recovery(email)
    return Message(message=RECOVERY_SENT)


@router.post("/reset-password/")
async def reset_password(accounts: Accounts, body: NewPassword) -> Message:
    """Set a new password with the token of a mail. All sessions end."""
    await accounts.reset_password(
        body.token.get_secret_value(), body.new_password.get_secret_value()
    )
    return Message(message="Password updated successfully")


@router.post("/password-recovery-html-content/{email}", response_class=HTMLResponse)
async def recover_password_html_content(
    recoveries: Recoveries, superuser: Superuser, email: Email
) -> HTMLResponse:
    """Show the mail that resets a password. Its link is good; an earlier one is so no longer."""
    mail = await recoveries.preview_recovery(email, actor_id=superuser.user.id)
    return HTMLResponse(mail.html, headers={"subject": mail.subject})


@router.post("/verify-email/")
async def verify_email(accounts: Accounts, body: VerifyEmail) -> Message:
    """Confirm an address, a first or a new one, with the token of a mail."""
    await accounts.verify_email(body.token.get_secret_value())
    return Message(message="Email verified")


@router.post("/verify-email/{email}")
async def send_verification(recoveries: Recoveries, email: Email) -> Message:
    """Have the link that confirms an address mailed again. The answer is always the same."""
    await recoveries.ask_for_verification(email)
    return Message(message=VERIFICATION_SENT)


def _hand_out(
    tokens: Tokens, settings: Settings, response: Response, place: Literal["body", "cookie"]
) -> Token:
    if place == "cookie":
        set_refresh_cookie(response, tokens.refresh_token, tokens.expires_at)
    return Token(
        access_token=tokens.access_token,
        expires_in=settings.access_token_lifetime,
        refresh_token=tokens.refresh_token if place == "body" else None,
    )
