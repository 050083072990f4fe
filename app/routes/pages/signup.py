"""Pages to sign up, and to confirm the address with an emailed link."""

from typing import Annotated

from fastapi import Form, Query
from pydantic import BaseModel
from starlette.responses import Response

from app.models import Purpose
from app.routes.deps.request import AnonymousScope
from app.routes.pages.notices import Notice
from app.routes.pages.route import page_router
from app.routes.pages.scopes import Visitor
from app.routes.pages.visit import Visit
from app.schemas.common import Email
from app.schemas.user import UserRegister
from app.services.account_service import AccountService
from app.services.auth.email_token_service import EmailTokenService
from app.services.recovery_service import RecoveryService
from app.services.signup_service import SignupService

router = page_router()

EmailToken = Annotated[str, Query(max_length=128, description="From the link of an email")]


class EmailForm(BaseModel):
    email: Email


@router.get("/signup")
async def show_signup(visit: Visit, visitor: Visitor) -> Response:
    if visitor is not None:
        return visit.redirect("/account")
    return visit.render("signup.html")


@router.post("/signup")
async def sign_up(
    visit: Visit, scope: AnonymousScope, form: Annotated[UserRegister, Form()]
) -> Response:
    await SignupService(scope).sign_up(form)
    return visit.redirect("/signup/done")


@router.get("/signup/done")
async def show_signed_up(visit: Visit) -> Response:
    return visit.render("signed_up.html")


@router.get("/verify-email")
async def show_confirmation(visit: Visit, scope: AnonymousScope, token: EmailToken) -> Response:
    """Ask for a click, because programs that check links in emails load this page, too."""
    purposes = (Purpose.VERIFY_EMAIL, Purpose.CHANGE_EMAIL)
    await EmailTokenService(scope).peek(token, *purposes)
    return visit.render("confirm_email.html", token=token)


@router.get("/verify-email/again")
async def show_ask_again(visit: Visit) -> Response:
    return visit.render("ask_again.html")


@router.post("/verify-email/again")
async def send_link_again(
    visit: Visit, scope: AnonymousScope, form: Annotated[EmailForm, Form()]
) -> Response:
    await RecoveryService(scope).request_verification(form.email)
    return visit.redirect("/verify-email/sent")


@router.get("/verify-email/sent")
async def show_link_sent(visit: Visit) -> Response:
    return visit.render("email_sent.html", again="/verify-email/again")


@router.post("/verify-email")
async def confirm_email(
    visit: Visit, visitor: Visitor, scope: AnonymousScope, token: EmailToken
) -> Response:
    await AccountService(scope).verify_email(token)
    return visit.redirect("/login" if visitor is None else "/account", Notice.EMAIL_CONFIRMED)
