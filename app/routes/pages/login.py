"""Pages to log in, with the second step, and to log out."""

from typing import Annotated

from fastapi import Form, Query
from pydantic import BaseModel, SecretStr
from starlette.responses import Response

from app.routes.deps.request import AnonymousScope
from app.routes.pages.cookies import delete_cookie, read_cookie
from app.routes.pages.login_steps import CHALLENGE, path_with_next
from app.routes.pages.notices import Notice
from app.routes.pages.route import page_router
from app.routes.pages.scopes import AccountScope, Visitor
from app.routes.pages.session_cookie import end_session, start_session
from app.routes.pages.visit import Visit
from app.schemas.common import CurrentPassword
from app.schemas.oidc import LocalPath
from app.schemas.second_factor import Code, SecondFactorLogin
from app.services.auth.login_service import LoginService
from app.services.auth.mfa_login_service import MfaLoginService
from app.services.auth.session_service import SessionService

router = page_router()

Next = Annotated[LocalPath, Query(alias="next", description="Where to go after the login")]


class LoginForm(BaseModel):
    email: str
    password: CurrentPassword


class CodeForm(BaseModel):
    code: Code


@router.get("/login")
async def show_login(visit: Visit, visitor: Visitor, back_to: Next = "/account") -> Response:
    if visitor is not None:
        return visit.redirect(back_to)
    return visit.render("login.html", next=back_to, action=path_with_next("/login", back_to))


@router.post("/login")
async def log_in(
    visit: Visit,
    scope: AnonymousScope,
    form: Annotated[LoginForm, Form()],
    back_to: Next = "/account",
) -> Response:
    tokens = await LoginService(scope).log_in(form.email, form.password.get_secret_value())
    response = visit.redirect(back_to)
    start_session(response, visit, tokens)
    return response


@router.get("/login/second-factor")
async def show_second_step(visit: Visit, back_to: Next = "/account") -> Response:
    if read_cookie(visit.settings, visit.request.cookies, CHALLENGE) is None:
        return visit.redirect(path_with_next("/login", back_to), Notice.LOGIN_EXPIRED)
    return visit.render(
        "second_step.html",
        action=path_with_next("/login/second-factor", back_to),
        passkey_path=path_with_next("/login/second-factor/passkey", back_to),
    )


@router.post("/login/second-factor")
async def finish_login(
    visit: Visit,
    scope: AnonymousScope,
    form: Annotated[CodeForm, Form()],
    back_to: Next = "/account",
) -> Response:
    token = read_cookie(visit.settings, visit.request.cookies, CHALLENGE) or ""
    step = SecondFactorLogin(token=SecretStr(token), code=form.code)
    tokens = await MfaLoginService(scope).log_in(step)
    response = visit.redirect(back_to)
    start_session(response, visit, tokens)
    delete_cookie(response, visit.settings, CHALLENGE)
    return response


@router.post("/logout")
async def log_out(visit: Visit, scope: AccountScope) -> Response:
    assert scope.principal.session_id is not None
    await SessionService(scope).end(scope.principal.session_id)
    response = visit.redirect("/login", Notice.LOGGED_OUT)
    end_session(response, visit)
    return response
