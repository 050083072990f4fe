"""Pages to recover a password, and to choose one with an emailed link or after an invitation."""

from typing import Annotated

from fastapi import Form
from pydantic import BaseModel
from starlette.responses import Response

from app.models import Purpose
from app.routes.deps.request import AnonymousScope
from app.routes.pages.notices import Notice
from app.routes.pages.route import page_router
from app.routes.pages.session_cookie import end_session
from app.routes.pages.signup import EmailForm, EmailToken
from app.routes.pages.visit import Visit
from app.schemas.common import Password
from app.services.account_service import AccountService
from app.services.auth.email_token_service import EmailTokenService
from app.services.auth.recent_credentials import RecentCredentials
from app.services.recovery_service import RecoveryService

router = page_router()


class NewPasswordForm(BaseModel):
    new_password: Password
    remove_recent: bool = False


@router.get("/recover-password")
async def show_recovery(visit: Visit) -> Response:
    return visit.render("recover_password.html")


@router.post("/recover-password")
async def request_recovery(
    visit: Visit, scope: AnonymousScope, form: Annotated[EmailForm, Form()]
) -> Response:
    await RecoveryService(scope).request_recovery(form.email)
    return visit.redirect("/recover-password/sent")


@router.get("/recover-password/sent")
async def show_recovery_sent(visit: Visit) -> Response:
    return visit.render("email_sent.html", again="/recover-password")


@router.get("/reset-password")
async def show_reset(visit: Visit, scope: AnonymousScope, token: EmailToken) -> Response:
    user_id = await EmailTokenService(scope).peek(token, Purpose.RESET_PASSWORD)
    recent = await RecentCredentials(scope, user_id).list()
    return visit.render("reset_password.html", token=token, recent=recent)


@router.post("/reset-password")
async def reset_password(
    visit: Visit,
    scope: AnonymousScope,
    token: EmailToken,
    form: Annotated[NewPasswordForm, Form()],
) -> Response:
    await AccountService(scope).reset_password(
        token, form.new_password.get_secret_value(), remove_recent=form.remove_recent
    )
    response = visit.redirect("/login", Notice.PASSWORD_SET)
    end_session(response, visit)
    return response
