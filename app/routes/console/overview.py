"""The overview page, with the state of each queue."""

from starlette.responses import Response

from app.routes.console.access import ConsoleScope
from app.routes.console.layout import show
from app.routes.console.parts import read_overview
from app.routes.deps.request import resources_of
from app.routes.pages.route import page_router
from app.routes.pages.visit import Visit

router = page_router()


@router.get("/console")
async def show_overview(visit: Visit, scope: ConsoleScope) -> Response:
    values = await read_overview(resources_of(visit.request))
    return show(visit, scope, "overview.html", **values)
