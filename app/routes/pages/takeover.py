"""The pages of the "this wasn't me" link in an alert, which need no login."""

from starlette.responses import Response

from app.routes.deps.request import AnonymousScope
from app.routes.pages.route import page_router
from app.routes.pages.session_cookie import end_session
from app.routes.pages.signup import EmailToken
from app.routes.pages.visit import Visit
from app.services.takeover_service import TakeoverService

router = page_router()


@router.get("/report-takeover")
async def show_report(visit: Visit, token: EmailToken) -> Response:
    """Ask for a click, because programs that check links in emails load this page, too."""
    return visit.render("report_takeover.html", token=token)


@router.post("/report-takeover")
async def report_takeover(visit: Visit, scope: AnonymousScope, token: EmailToken) -> Response:
    await TakeoverService(scope).report(token)
    response = visit.redirect("/report-takeover/done")
    end_session(response, visit)
    return response


@router.get("/report-takeover/done")
async def show_reported(visit: Visit) -> Response:
    return visit.render("takeover_reported.html")
