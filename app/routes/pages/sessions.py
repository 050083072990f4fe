"""The pages of the user's sessions."""

from uuid import UUID

from starlette.responses import Response

from app.routes.deps.request import Skip
from app.routes.pages.notices import Notice
from app.routes.pages.route import page_router
from app.routes.pages.scopes import AccountScope
from app.routes.pages.session_cookie import end_session
from app.routes.pages.user_agent import device
from app.routes.pages.visit import Visit
from app.services.auth.revocation import Event, end_credentials
from app.services.auth.session_service import SessionService

router = page_router()

PAGE_SIZE = 20


@router.get("/account/sessions")
async def show_sessions(visit: Visit, scope: AccountScope, skip: Skip = 0) -> Response:
    sessions = await SessionService(scope).list(skip=skip, limit=PAGE_SIZE)
    return visit.render(
        "sessions.html", sessions=sessions, device=device, skip=skip, size=PAGE_SIZE
    )


@router.post("/account/sessions/{id}/end")
async def end_other_session(visit: Visit, scope: AccountScope, id: UUID) -> Response:  # noqa: A002  in the path
    await SessionService(scope).end(id)
    return visit.redirect("/account/sessions", Notice.SESSION_ENDED)


@router.post("/account/sessions/end-all")
async def log_out_everywhere(visit: Visit, scope: AccountScope) -> Response:
    await end_credentials(scope, scope.principal.user_id, Event.LOGOUT_EVERYWHERE)
    response = visit.redirect("/login", Notice.LOGGED_OUT_EVERYWHERE)
    end_session(response, visit)
    return response
