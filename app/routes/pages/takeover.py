"""The link "this wasn't me" in an alert: the owner takes the account back without logging in."""

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
    """Ask for a click: programs that check the links of emails load this page, too."""
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
