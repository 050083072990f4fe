"""Pages to log in with a passkey, to prove who the user is with one, and to manage passkeys.

These pages need JavaScript, because only scripts can use passkeys. The password works without.
"""

from typing import Annotated
from uuid import UUID

from fastapi import Form
from pydantic import BaseModel, Json, SecretStr
from starlette.responses import Response

from app.routes.deps.request import AnonymousScope
from app.routes.pages.cookies import delete_cookie, read_cookie
from app.routes.pages.login import Next
from app.routes.pages.login_steps import CHALLENGE, path_with_next
from app.routes.pages.notices import Notice
from app.routes.pages.one_time_secrets import set_secret
from app.routes.pages.route import page_router
from app.routes.pages.scopes import AccountScope, ProvenScope
from app.routes.pages.second_factor import CODES
from app.routes.pages.session_cookie import start_session
from app.routes.pages.visit import Visit
from app.schemas.login import Reauthentication
from app.schemas.passkey import (
    Assertion,
    Attestation,
    CeremonyState,
    PasskeyName,
    PasskeyProof,
    PasskeyRegistration,
    PasskeyUpdate,
)
from app.schemas.second_factor import SecondFactorLogin
from app.services.auth.mfa_login_service import MfaLoginService
from app.services.auth.passkey_login_service import PasskeyLoginService
from app.services.auth.passkey_service import PasskeyService
from app.services.auth.step_up_service import StepUpService

router = page_router()


class NewPasskeyForm(BaseModel):
    """A form for a new passkey. A script fills in `credential` as JSON."""

    name: PasskeyName
    state: CeremonyState
    credential: Json[Attestation]


class PasskeyForm(BaseModel):
    """A form for the signature of a passkey. A script fills in `credential` as JSON."""

    state: CeremonyState
    credential: Json[Assertion]

    @property
    def proof(self) -> PasskeyProof:
        return PasskeyProof(state=self.state, credential=self.credential)


@router.get("/login/passkey")
async def show_passkey_login(
    visit: Visit, scope: AnonymousScope, back_to: Next = "/account"
) -> Response:
    options = await PasskeyLoginService(scope).begin()
    action = path_with_next("/login/passkey", back_to)
    return visit.render("passkey_login.html", options=options, action=action)


@router.post("/login/passkey")
async def log_in_with_passkey(
    visit: Visit,
    scope: AnonymousScope,
    form: Annotated[PasskeyForm, Form()],
    back_to: Next = "/account",
) -> Response:
    tokens = await PasskeyLoginService(scope).log_in(form.proof)
    response = visit.redirect(back_to)
    start_session(response, visit, tokens)
    return response


@router.get("/login/second-factor/passkey")
async def show_passkey_as_second_step(
    visit: Visit, scope: AnonymousScope, back_to: Next = "/account"
) -> Response:
    token = read_cookie(visit.settings, visit.request.cookies, CHALLENGE)
    if token is None:
        return visit.redirect(path_with_next("/login", back_to), Notice.LOGIN_EXPIRED)
    return visit.render(
        "second_step_passkey.html",
        options=await MfaLoginService(scope).begin_passkey(token),
        action=path_with_next("/login/second-factor/passkey", back_to),
        code_path=path_with_next("/login/second-factor", back_to),
    )


@router.post("/login/second-factor/passkey")
async def finish_login_with_passkey(
    visit: Visit,
    scope: AnonymousScope,
    form: Annotated[PasskeyForm, Form()],
    back_to: Next = "/account",
) -> Response:
    token = read_cookie(visit.settings, visit.request.cookies, CHALLENGE) or ""
    step = SecondFactorLogin(token=SecretStr(token), passkey=form.proof)
    tokens = await MfaLoginService(scope).log_in(step)
    response = visit.redirect(back_to)
    start_session(response, visit, tokens)
    delete_cookie(response, visit.settings, CHALLENGE)
    return response


@router.get("/account/confirm/passkey")
async def show_passkey_proof(
    visit: Visit, scope: AccountScope, back_to: Next = "/account"
) -> Response:
    options = await StepUpService(scope).begin_passkey()
    action = path_with_next("/account/confirm/passkey", back_to)
    return visit.render("confirm_with_passkey.html", options=options, action=action)


@router.post("/account/confirm/passkey")
async def prove_with_passkey(
    visit: Visit,
    scope: AccountScope,
    form: Annotated[PasskeyForm, Form()],
    back_to: Next = "/account",
) -> Response:
    await StepUpService(scope).prove(Reauthentication(passkey=form.proof))
    return visit.redirect(back_to)


@router.get("/account/passkeys")
async def show_passkeys(visit: Visit, scope: AccountScope) -> Response:
    return visit.render("passkeys.html", passkeys=await PasskeyService(scope).list())


@router.get("/account/passkeys/new")
async def show_new_passkey(visit: Visit, scope: ProvenScope) -> Response:
    return visit.render("new_passkey.html", options=await PasskeyService(scope).begin())


@router.post("/account/passkeys/new")
async def add_passkey(
    visit: Visit, scope: ProvenScope, form: Annotated[NewPasskeyForm, Form()]
) -> Response:
    _, codes = await PasskeyService(scope).register(
        PasskeyRegistration(state=form.state, credential=form.credential, name=form.name)
    )
    if codes is None:
        return visit.redirect("/account/passkeys", Notice.PASSKEY_ADDED)
    response = visit.redirect("/account/second-factor/recovery-codes", Notice.PASSKEY_ADDED)
    set_secret(response, visit, scope, name=CODES, secret=" ".join(codes))
    return response


@router.get("/account/passkeys/{id}/rename")
async def show_passkey_name(visit: Visit, scope: AccountScope, id: UUID) -> Response:  # noqa: A002  in the path
    passkey = await PasskeyService(scope).get(id)
    return visit.render("rename_passkey.html", passkey=passkey)


@router.post("/account/passkeys/{id}/rename")
async def rename_passkey(
    visit: Visit,
    scope: AccountScope,
    id: UUID,  # noqa: A002  in the path
    form: Annotated[PasskeyUpdate, Form()],
) -> Response:
    await PasskeyService(scope).rename(id, form.name)
    return visit.redirect("/account/passkeys", Notice.PASSKEY_RENAMED)


@router.post("/account/passkeys/{id}/remove")
async def remove_passkey(visit: Visit, scope: ProvenScope, id: UUID) -> Response:  # noqa: A002  in the path
    await PasskeyService(scope).remove(id)
    return visit.redirect("/account/passkeys", Notice.PASSKEY_REMOVED)
