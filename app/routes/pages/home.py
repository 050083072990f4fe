"""The front page: what this service is, and where to go."""

from starlette.responses import Response

from app.routes.pages.route import page_router
from app.routes.pages.scopes import Visitor
from app.routes.pages.visit import Visit

router = page_router()


@router.get("/")
async def show_home(visit: Visit, visitor: Visitor) -> Response:
    return visit.render("home.html", visitor=visitor)
