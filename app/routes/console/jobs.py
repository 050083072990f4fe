"""The pages of jobs: a search by state, and one job with its arguments, tries, and actions."""

from typing import Annotated
from uuid import UUID

from fastapi import Form
from pydantic import BaseModel, StringConstraints
from starlette.responses import Response

from app.core.control import (
    FoundJobs,
    InvalidCursor,
    JobFilter,
    JobView,
    SearchTooBroad,
    SensitiveArgument,
    UnknownArguments,
    find_job,
    search_jobs,
)
from app.routes.console.access import ConsoleScope, console_scope
from app.routes.console.actions import find_action, show_action
from app.routes.console.job_actions import ACTIONS
from app.routes.console.job_forms import all_job_classes
from app.routes.console.layout import show
from app.routes.console.parts import read_job, read_newest
from app.routes.console.queries import Moment, Word, link_with, read_query
from app.routes.deps.request import resources_of
from app.routes.pages.route import page_router
from app.routes.pages.visit import Visit
from app.schemas.operation import ReasonGiven
from app.schemas.role import Permission
from app.services.auth.reauthentication import RECENT_MINUTES
from app.services.operations import JobOperations
from app.services.scope import Scope

router = page_router()

JobScope = Annotated[Scope, console_scope(Permission.MANAGE_JOBS)]

SECTION = "/console/jobs"


class JobQuery(BaseModel):
    """The filter in the form. An argument is `user_id=…` or `address.city=…`."""

    state: JobView = JobView.WAITING
    queue: Word | None = None
    name: Word | None = None
    error: Word | None = None
    argument: Annotated[Word, StringConstraints(pattern=r"^[\w.]+=")] | None = None
    request_id: Word | None = None
    since: Moment | None = None
    until: Moment | None = None
    cursor: Word | None = None

    def filters(self) -> JobFilter:
        path, _, value = (self.argument or "").partition("=")
        return JobFilter(
            state=self.state,
            queue=self.queue,
            name=self.name,
            error_class=self.error,
            since=self.since,
            until=self.until,
            request_id=self.request_id,
            arguments={path: value} if path else {},
        )


@router.get("/console/jobs")
async def show_jobs(visit: Visit, scope: ConsoleScope) -> Response:
    query, found, state = read_query(visit, JobQuery), FoundJobs([]), JobView.WAITING
    newest: dict[str, object] = {"subject": "", "version": ""}
    if query is not None:
        state, resources = query.state, resources_of(visit.request)
        subject = f"{state.value}:{query.queue or ''}"
        try:
            # First, so that a change between the two calls is offered to the user.
            newest = {"subject": subject, **await read_newest(resources, subject)}
            found = await search_jobs(
                resources.sessions, scope.queues, query.filters(), cursor=query.cursor
            )
        except (SensitiveArgument, UnknownArguments, SearchTooBroad, InvalidCursor) as refused:
            visit.show_problem(refused)
    return show(
        visit,
        scope,
        "jobs.html",
        state=state,
        states={each.value: link_with(visit, state=each, cursor=None) for each in JobView},
        found=found,
        next=found.cursor and link_with(visit, cursor=found.cursor),
        queues=[queue.name for queue in scope.queues],
        names=[job.__name__ for job in all_job_classes()],
        **newest,
    )


@router.get("/console/jobs/{job_id}")
async def show_job(visit: Visit, scope: ConsoleScope, job_id: UUID) -> Response:
    values = await read_job(resources_of(visit.request), str(job_id))
    return show(visit, scope, "job.html", **values)


@router.get("/console/jobs/{job_id}/do/{action}")
async def show_job_action(visit: Visit, scope: JobScope, job_id: UUID, action: str) -> Response:
    found = find_action(ACTIONS, action)
    job = await find_job(scope.uow.session, scope.queues, job_id)
    if found.dangerous:
        scope.principal.require_recent_proof(minutes=RECENT_MINUTES)
    page = found.page(f"{found.button}: {job.name}", back=f"{SECTION}/{job_id}", section=SECTION)
    return show_action(visit, scope, page)


@router.post("/console/jobs/{job_id}/do/{action}")
async def act_on_job(
    visit: Visit,
    scope: JobScope,
    job_id: UUID,
    action: str,
    form: Annotated[ReasonGiven, Form()],
) -> Response:
    found = find_action(ACTIONS, action)
    if found.dangerous:
        scope.principal.require_recent_proof(minutes=RECENT_MINUTES)
    scope.reason = form.reason
    await found.run(JobOperations(scope, resources_of(visit.request).sessions), job_id)
    gone = action == "discard"
    return visit.redirect("/console/dead-letters" if gone else f"{SECTION}/{job_id}", found.notice)
