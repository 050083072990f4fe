"""Pause a queue, and limit all of its workers together."""

from typing import Annotated

from fastapi import Form
from pydantic import BeforeValidator, Field
from starlette.responses import Response

from app.core.control import find_queue, queue_limits
from app.routes.console.access import console_scope
from app.routes.console.actions import ActionPage, ReasonForm, show_action
from app.routes.console.desk import show
from app.routes.pages.notices import Notice
from app.routes.pages.route import page_router
from app.routes.pages.visit import Visit
from app.schemas.role import Permission
from app.services.operations import QueueOperations
from app.services.scope import Scope

router = page_router()

QueueScope = Annotated[Scope, console_scope(Permission.MANAGE_QUEUES)]

PAUSE = ActionPage(
    title="Pause the queue",
    text="No further job starts until the queue is resumed. Jobs that run go on.",
    button="Pause",
    back="/console",
    section="/console",
)
RESUME = ActionPage(
    title="Resume the queue",
    text="Its jobs start again, the oldest first.",
    button="Resume",
    back="/console",
    section="/console",
)


def _none_if_empty(text: object) -> object:
    return None if text == "" else text


Empty = BeforeValidator(_none_if_empty)


class LimitsForm(ReasonForm):
    rate: Annotated[float | None, Empty, Field(gt=0, le=1_000_000)] = None
    concurrency: Annotated[int | None, Empty, Field(ge=1, le=1_000_000)] = None


@router.get("/console/queues/{name}/pause")
async def show_pause(visit: Visit, scope: QueueScope, name: str) -> Response:
    find_queue(scope.queues, name)
    return show_action(visit, scope, PAUSE.about(name))


@router.post("/console/queues/{name}/pause")
async def pause(
    visit: Visit, scope: QueueScope, name: str, form: Annotated[ReasonForm, Form()]
) -> Response:
    scope.reason = form.reason
    await QueueOperations(scope).pause(name)
    return visit.redirect("/console", Notice.QUEUE_PAUSED)


@router.get("/console/queues/{name}/resume")
async def show_resume(visit: Visit, scope: QueueScope, name: str) -> Response:
    find_queue(scope.queues, name)
    return show_action(visit, scope, RESUME.about(name))


@router.post("/console/queues/{name}/resume")
async def resume(
    visit: Visit, scope: QueueScope, name: str, form: Annotated[ReasonForm, Form()]
) -> Response:
    scope.reason = form.reason
    await QueueOperations(scope).resume(name)
    return visit.redirect("/console", Notice.QUEUE_RESUMED)


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
    return visit.redirect("/console", Notice.QUEUE_LIMITED)
