"""The pages of dead letters, which are jobs that failed for good, grouped by error."""

from typing import Annotated, Literal

from fastapi import Form
from pydantic import BaseModel
from starlette.responses import Response

from app.core.control import JobFilter, JobView
from app.core.control.bulk import count_matching
from app.routes.console.access import ConsoleScope, console_scope
from app.routes.console.actions import ActionPage, show_action
from app.routes.console.layout import show
from app.routes.console.parts import read_groups
from app.routes.console.queries import Word, read_query
from app.routes.deps.request import resources_of
from app.routes.pages.notices import Notice
from app.routes.pages.route import page_router
from app.routes.pages.visit import Visit
from app.schemas.operation import DeadLetterChange, ReasonGiven
from app.schemas.role import Permission
from app.services.dead_letter_service import DeadLetterService
from app.services.scope import Scope

router = page_router()

ProvenJobScope = Annotated[Scope, console_scope(Permission.MANAGE_JOBS, proven=True)]
Action = Literal["retry", "discard"]

SECTION = "/console/dead-letters"
TEXTS: dict[Action, str] = {
    "retry": "Each job is retried with all of its tries. A job is refused if a worker still holds "
    "it or another job has its key.",
    "discard": "These dead letters are deleted. Their jobs will never run.",
}


class GroupQuery(BaseModel):
    """The dead letters that an action changes. A missing value matches all."""

    queue: Word | None = None
    name: Word | None = None
    error_class: Word | None = None


@router.get("/console/dead-letters")
async def show_dead_letters(visit: Visit, scope: ConsoleScope) -> Response:
    values = await read_groups(resources_of(visit.request))
    return show(visit, scope, "dead_letters.html", **values)


@router.get("/console/dead-letters/{action}")
async def show_bulk_action(visit: Visit, scope: ProvenJobScope, action: Action) -> Response:
    group = read_query(visit, GroupQuery) or GroupQuery()
    filters = JobFilter(state=JobView.DEAD, **group.model_dump())
    count = await count_matching(resources_of(visit.request).sessions, filters)
    button = f"{action.capitalize()} {count:,}"
    about = " · ".join(part for part in group.model_dump().values() if part)
    page = ActionPage(
        title=f"{button} dead letters{about and ': '}{about}",
        text=TEXTS[action],
        button=button,
        dangerous=action == "discard",
        back=SECTION,
        section=SECTION,
    )
    return show_action(visit, scope, page)


@router.post("/console/dead-letters/{action}")
async def act_on_all(
    visit: Visit, scope: ProvenJobScope, action: Action, form: Annotated[ReasonGiven, Form()]
) -> Response:
    """Enqueue the change, and redirect to its job, which shows the progress and the result."""
    group = GroupQuery.model_validate(dict(visit.request.query_params))
    data = DeadLetterChange(reason=form.reason, **group.model_dump())
    job_id = DeadLetterService(scope).request_change(action, data)
    return visit.redirect(f"/console/jobs/{job_id}", Notice.DEAD_LETTERS_CHANGING)
