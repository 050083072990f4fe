"""The pages of the schedule: the last and next run of each cron, and "run now"."""

from typing import Annotated

from fastapi import Form
from starlette.responses import Response

from app.core.control import list_crons
from app.routes.console.access import ConsoleScope, console_scope
from app.routes.console.actions import Action, show_action
from app.routes.console.layout import show
from app.routes.deps.request import resources_of
from app.routes.pages.notices import Notice
from app.routes.pages.route import page_router
from app.routes.pages.visit import Visit
from app.schemas.operation import ReasonGiven
from app.schemas.role import Permission
from app.services.cron_service import CronService
from app.services.scope import Scope

router = page_router()

JobScope = Annotated[Scope, console_scope(Permission.MANAGE_JOBS)]

SECTION = "/console/schedule"
RUN_NOW = Action(
    button="Run now",
    text="The cron's job is enqueued now. The schedule does not change.",
    notice=Notice.JOB_ENQUEUED,
    run=CronService.run_now,
)


@router.get("/console/schedule")
async def show_schedule(visit: Visit, scope: ConsoleScope) -> Response:
    crons = await list_crons(resources_of(visit.request).sessions, scope.queues)
    return show(visit, scope, "schedule.html", crons=crons)


@router.get("/console/schedule/{name}/run")
async def show_run_now(visit: Visit, scope: JobScope, name: str) -> Response:
    page = RUN_NOW.page(f"Run now: {name}", back=SECTION, section=SECTION)
    return show_action(visit, scope, page)


@router.post("/console/schedule/{name}/run")
async def run_now(
    visit: Visit, scope: JobScope, name: str, form: Annotated[ReasonGiven, Form()]
) -> Response:
    scope.reason = form.reason
    sessions = resources_of(visit.request).sessions
    job_id = await CronService(scope, sessions).run_now(name)
    return visit.redirect(f"/console/jobs/{job_id}", RUN_NOW.notice)
