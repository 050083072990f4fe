"""The page on which users prove who they are, before actions that a stolen session must not do."""

from typing import Annotated, Self

from fastapi import Form
from pydantic import BaseModel, model_validator
from starlette.responses import Response

from app.routes.pages.login import Next
from app.routes.pages.login_steps import path_with_next
from app.routes.pages.route import page_router
from app.routes.pages.scopes import AccountScope
from app.routes.pages.visit import Visit
from app.schemas.common import CurrentPassword
from app.schemas.login import Reauthentication
from app.schemas.second_factor import Code
from app.services.auth.step_up_service import StepUpService

router = page_router()


class ProofForm(BaseModel):
    password: CurrentPassword | None = None
    code: Code | None = None

    @model_validator(mode="after")
    def _check_is_one(self) -> Self:
        if (self.password is None) == (self.code is None):
            raise ValueError("must contain either password or code")
        return self


@router.get("/account/confirm")
async def show_proof(visit: Visit, scope: AccountScope, back_to: Next = "/account") -> Response:
    return visit.render(
        "confirm_identity.html",
        principal=scope.principal,
        next=back_to,
        action=path_with_next("/account/confirm", back_to),
    )


@router.post("/account/confirm")
async def prove(
    visit: Visit,
    scope: AccountScope,
    form: Annotated[ProofForm, Form()],
    back_to: Next = "/account",
) -> Response:
    await StepUpService(scope).prove(Reauthentication(password=form.password, code=form.code))
    return visit.redirect(back_to)
