"""The user's password."""

from typing import Annotated

from fastapi import Form
from starlette.responses import Response

from app.routes.pages.notices import Notice
from app.routes.pages.route import page_router
from app.routes.pages.scopes import AccountScope
from app.routes.pages.session_cookie import end_session
from app.routes.pages.visit import Visit
from app.schemas.user import UpdatePassword
from app.services.account_service import AccountService

router = page_router()


@router.get("/account/password")
async def show_password(visit: Visit, scope: AccountScope) -> Response:
    return visit.render("password.html", principal=scope.principal)


@router.post("/account/password")
async def change_password(
    visit: Visit, scope: AccountScope, form: Annotated[UpdatePassword, Form()]
) -> Response:
    await AccountService(scope).change_password(
        form.current_password.get_secret_value(), form.new_password.get_secret_value()
    )
    response = visit.redirect("/login", Notice.PASSWORD_CHANGED)
    end_session(response, visit)
    return response
