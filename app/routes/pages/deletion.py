"""Delete the user's own account."""

from starlette.responses import Response

from app.routes.pages.notices import Notice
from app.routes.pages.route import page_router
from app.routes.pages.scopes import ProvenScope
from app.routes.pages.session_cookie import end_session
from app.routes.pages.visit import Visit
from app.services.account_service import AccountService

router = page_router()


@router.get("/account/delete")
async def show_deletion(visit: Visit, _: ProvenScope) -> Response:
    return visit.render("delete_account.html")


@router.post("/account/delete")
async def delete_account(visit: Visit, scope: ProvenScope) -> Response:
    await AccountService(scope).delete()
    response = visit.redirect("/", Notice.DELETION_REQUESTED)
    end_session(response, visit)
    return response
