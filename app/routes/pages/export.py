"""A copy of everything that is stored about the user."""

from starlette.responses import Response

from app.routes.pages.notices import Notice
from app.routes.pages.route import page_router
from app.routes.pages.scopes import AccountScope
from app.routes.pages.visit import Visit
from app.services.personal_data.export_service import PersonalDataService

router = page_router()


@router.get("/account/export")
async def show_export(visit: Visit, scope: AccountScope) -> Response:
    return visit.render("export.html", export=await PersonalDataService(scope).status())


@router.post("/account/export")
async def request_export(visit: Visit, scope: AccountScope) -> Response:
    await PersonalDataService(scope).request()
    return visit.redirect("/account/export", Notice.EXPORT_REQUESTED)
