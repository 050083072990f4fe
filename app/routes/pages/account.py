"""The pages of the user's own account: the overview, the name, and the address."""

from typing import Annotated

from fastapi import Form
from pydantic import BaseModel
from starlette.responses import Response

from app.routes.pages.notices import Notice
from app.routes.pages.route import page_router
from app.routes.pages.scopes import AccountScope, ProvenScope
from app.routes.pages.signup import EmailForm
from app.routes.pages.visit import Visit
from app.schemas.user import FullName, UserUpdateMe
from app.services.account_service import AccountService
from app.services.email_change_service import EmailChangeService
from app.services.user_service import UserService

router = page_router()


class NameForm(BaseModel):
    full_name: FullName = ""


@router.get("/account")
async def show_account(visit: Visit, scope: AccountScope) -> Response:
    user = await UserService(scope).get(scope.principal.user_id)
    return visit.render("account.html", user=user, principal=scope.principal)


@router.get("/account/name")
async def show_name(visit: Visit, scope: AccountScope) -> Response:
    return visit.render("account_name.html", principal=scope.principal)


@router.post("/account/name")
async def change_name(
    visit: Visit, scope: AccountScope, form: Annotated[NameForm, Form()]
) -> Response:
    await AccountService(scope).update(UserUpdateMe(full_name=form.full_name or None))
    return visit.redirect("/account", Notice.NAME_SAVED)


@router.get("/account/email")
async def show_address(visit: Visit, scope: ProvenScope) -> Response:
    return visit.render("account_email.html", principal=scope.principal)


@router.post("/account/email")
async def change_address(
    visit: Visit, scope: ProvenScope, form: Annotated[EmailForm, Form()]
) -> Response:
    await AccountService(scope).update(UserUpdateMe(email=form.email))
    return visit.redirect("/account", Notice.EMAIL_CHANGE_REQUESTED)


@router.post("/account/email/withdraw")
async def withdraw_address(visit: Visit, scope: AccountScope) -> Response:
    await EmailChangeService(scope).withdraw()
    return visit.redirect("/account", Notice.EMAIL_CHANGE_WITHDRAWN)
