"""Pages to log in with a provider, and to link one to the account."""

from uuid import UUID

from starlette.responses import Response

from app.core.exceptions import AppError, SecondFactorRequired
from app.core.oidc.authorization_response import AuthorizationResponse
from app.core.oidc.login_state import LoginState
from app.routes.deps.oidc_cookie import delete_oidc_cookie, set_oidc_cookie
from app.routes.deps.request import AnonymousScope
from app.routes.pages.failures import text_of
from app.routes.pages.login import Next
from app.routes.pages.login_steps import ask_for_second_factor
from app.routes.pages.notices import Notice
from app.routes.pages.one_time_secrets import read_secret, set_secret
from app.routes.pages.route import page_router
from app.routes.pages.scopes import AccountScope, ProvenScope
from app.routes.pages.session_cookie import start_session
from app.routes.pages.visit import PageVisit, Visit
from app.schemas.oidc import LinkIdentity, ProviderName
from app.services.auth.identity_service import IdentityService
from app.services.auth.oidc_service import OidcService
from app.services.scope import Scope

router = page_router()

DESTINATION = "authorization_url"


@router.get("/login/oidc/{provider}")
async def begin_login(
    visit: Visit, scope: AnonymousScope, provider: ProviderName, back_to: Next = "/account"
) -> Response:
    redirect = await OidcService(scope).begin(provider, back_to, for_pages=True)
    response = visit.redirect_to_url(redirect.authorization_url)
    set_oidc_cookie(response, redirect)
    return response


async def finish_login(
    visit: PageVisit, scope: Scope, login: LoginState, authorization: AuthorizationResponse
) -> Response:
    """Finish a login or a link that was started on a page."""
    try:
        tokens = await OidcService(scope).finish(login, authorization)
    except SecondFactorRequired as required:
        response = ask_for_second_factor(visit, required, back_to=login.path)
    except AppError as refusal:
        response = visit.render("provider_failed.html", text=text_of(refusal), status_code=400)
    else:
        if tokens is None:
            response = visit.redirect(login.path, Notice.PROVIDER_LINKED)
        else:
            response = visit.redirect(login.path)
            start_session(response, visit, tokens)
    delete_oidc_cookie(response)
    return response


@router.get("/account/providers")
async def show_providers(visit: Visit, scope: AccountScope) -> Response:
    identities = await IdentityService(scope).list()
    return visit.render("providers.html", identities=identities)


@router.get("/account/providers/{provider}/link")
async def show_link(visit: Visit, _: ProvenScope, provider: ProviderName) -> Response:
    return visit.render("link_provider.html", provider=provider)


@router.post("/account/providers/{provider}/link")
async def begin_link(visit: Visit, scope: ProvenScope, provider: ProviderName) -> Response:
    data = LinkIdentity(path="/account/providers")
    redirect = await OidcService(scope).begin_link(provider, data, for_pages=True)
    # The page's policy forbids forms that redirect to other sites, so another page comes between.
    response = visit.redirect("/account/providers/continue")
    set_secret(response, visit, scope, name=DESTINATION, secret=redirect.authorization_url)
    set_oidc_cookie(response, redirect)
    return response


@router.get("/account/providers/continue")
async def continue_at_provider(visit: Visit, scope: AccountScope) -> Response:
    url = read_secret(visit, scope, name=DESTINATION)
    if url is None:
        return visit.redirect("/account/providers")
    return visit.render("continue_at_provider.html", destination=url)


@router.post("/account/providers/{id}/unlink")
async def unlink_provider(visit: Visit, scope: ProvenScope, id: UUID) -> Response:  # noqa: A002  in the path
    await IdentityService(scope).unlink(id)
    return visit.redirect("/account/providers", Notice.PROVIDER_UNLINKED)
