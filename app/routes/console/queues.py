"""Pages to pause, resume, and limit a queue."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import Form
from pydantic import BeforeValidator, Field
from starlette.responses import Response

from app.core.control import find_queue, queue_limits
from app.routes.console.access import console_scope
from app.routes.console.actions import Action, find_action, show_action
from app.routes.console.layout import show
from app.routes.pages.notices import Notice
from app.routes.pages.route import page_router
from app.routes.pages.visit import Visit
from app.schemas.operation import ReasonGiven
from app.schemas.role import Permission
from app.services.operations import QueueOperations
from app.services.scope import Scope

router = page_router()

QueueScope = Annotated[Scope, console_scope(Permission.MANAGE_QUEUES)]

SECTION = "/console"

SWITCHES: Mapping[str, Action[[QueueOperations, str]]] = {
    "pause": Action(
        button="Pause",
        text="No further job starts until the queue is resumed. Running jobs continue.",
        notice=Notice.QUEUE_PAUSED,
        run=QueueOperations.pause,
    ),
    "resume": Action(
        button="Resume",
        text="Its jobs start again, oldest first.",
        notice=Notice.QUEUE_RESUMED,
        run=QueueOperations.resume,
    ),
}


def _none_if_empty(text: object) -> object:
    return None if text == "" else text


Empty = BeforeValidator(_none_if_empty)


class LimitsForm(ReasonGiven):
    rate: Annotated[float | None, Empty, Field(gt=0, le=1_000_000)] = None
    concurrency: Annotated[int | None, Empty, Field(ge=1, le=1_000_000)] = None


@router.get("/console/queues/{name}/limits")
async def show_limits(visit: Visit, scope: QueueScope, name: str) -> Response:
    limits = await queue_limits(scope.queues, find_queue(scope.queues, name))
    return show(visit, scope, "limits.html", name=name, limits=limits)


@router.post("/console/queues/{name}/limits")
async def set_limits(
    visit: Visit, scope: QueueScope, name: str, form: Annotated[LimitsForm, Form()]
) -> Response:
    scope.reason = form.reason
    await QueueOperations(scope).limit(name, rate=form.rate, concurrency=form.concurrency)
    return visit.redirect(SECTION, Notice.QUEUE_LIMITED)


@router.get("/console/queues/{name}/{action}")
async def show_switch(visit: Visit, scope: QueueScope, name: str, action: str) -> Response:
    found = find_action(SWITCHES, action)
    find_queue(scope.queues, name)
    page = found.page(f"{found.button} the queue {name}", back=SECTION, section=SECTION)
    return show_action(visit, scope, page)


@router.post("/console/queues/{name}/{action}")
async def switch(
    visit: Visit, scope: QueueScope, name: str, action: str, form: Annotated[ReasonGiven, Form()]
) -> Response:
    found = find_action(SWITCHES, action)
    scope.reason = form.reason
    await found.run(QueueOperations(scope), name)
    return visit.redirect(SECTION, found.notice)
