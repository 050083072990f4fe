"""The second factor: an authenticator app with a QR code, and recovery codes."""

from typing import Annotated

from fastapi import Form
from starlette.responses import Response

from app.routes.pages.notices import Notice
from app.routes.pages.one_time_secrets import delete_secret, read_secret, set_secret
from app.routes.pages.route import page_router
from app.routes.pages.scopes import AccountScope, ProvenScope
from app.routes.pages.visit import Visit
from app.schemas.second_factor import ConfirmSecondFactor, TotpSecret
from app.services.auth.second_factor_service import SecondFactorService

router = page_router()

APP, CODES = "app_secret", "recovery_codes"
"""The names of the secrets that one page passes to the next."""


@router.get("/account/second-factor")
async def show_second_factor(visit: Visit, scope: AccountScope) -> Response:
    status = await SecondFactorService(scope).status()
    return visit.render("second_factor.html", status=status)


@router.post("/account/second-factor")
async def begin_second_factor(visit: Visit, scope: ProvenScope) -> Response:
    secret = await SecondFactorService(scope).begin(None)
    response = visit.redirect("/account/second-factor/app")
    set_secret(response, visit, scope, name=APP, secret=secret.model_dump_json())
    return response


@router.get("/account/second-factor/app")
async def show_app(visit: Visit, scope: AccountScope) -> Response:
    """Show the secret for the app until its first code has confirmed it."""
    handed_over = read_secret(visit, scope, name=APP)
    if handed_over is None:
        return visit.redirect("/account/second-factor")
    secret = TotpSecret.model_validate_json(handed_over)
    return visit.render("authenticator_app.html", secret=secret, qr_code=_qr_code(secret))


@router.post("/account/second-factor/app")
async def confirm_app(
    visit: Visit, scope: AccountScope, form: Annotated[ConfirmSecondFactor, Form()]
) -> Response:
    codes = await SecondFactorService(scope).confirm(form.code.get_secret_value())
    response = visit.redirect("/account/second-factor/recovery-codes")
    delete_secret(response, visit, name=APP)
    set_secret(response, visit, scope, name=CODES, secret=" ".join(codes))
    return response


@router.get("/account/second-factor/recovery-codes")
async def show_recovery_codes(visit: Visit, scope: AccountScope) -> Response:
    """Show new codes. If there are none, offer to create some."""
    codes = (read_secret(visit, scope, name=CODES) or "").split()
    return visit.render("recovery_codes.html", codes=codes)


@router.post("/account/second-factor/recovery-codes")
async def renew_recovery_codes(visit: Visit, scope: ProvenScope) -> Response:
    codes = await SecondFactorService(scope).renew_recovery_codes(None)
    response = visit.redirect("/account/second-factor/recovery-codes")
    set_secret(response, visit, scope, name=CODES, secret=" ".join(codes))
    return response


@router.get("/account/second-factor/remove")
async def show_removal(visit: Visit, _: ProvenScope) -> Response:
    return visit.render("remove_second_factor.html")


@router.post("/account/second-factor/remove")
async def remove_second_factor(visit: Visit, scope: ProvenScope) -> Response:
    await SecondFactorService(scope).disable(None)
    return visit.redirect("/account/second-factor", Notice.SECOND_FACTOR_REMOVED)


def _qr_code(secret: TotpSecret) -> str:
    """Return a data URI of the image, so that the secret appears in no log."""
    import segno  # noqa: PLC0415  only this page needs it

    return segno.make(secret.otpauth_uri, error="m").svg_data_uri(scale=5, border=3, dark="#000")
