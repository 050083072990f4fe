"""Pages to enqueue a job, with a form that is generated from its class."""

from datetime import timedelta
from typing import Annotated

from fastapi import Form, Request
from pydantic import Field
from starlette.responses import Response

from app.core.broker.payload import InvalidJob
from app.core.control import get_job_class
from app.core.exceptions import InvalidField
from app.routes.console.access import console_scope
from app.routes.console.job_forms import PREFIX, all_job_classes, form_of, read_job
from app.routes.console.layout import show
from app.routes.deps.request import resources_of
from app.routes.pages.notices import Notice
from app.routes.pages.route import page_router
from app.routes.pages.visit import Visit
from app.schemas.operation import ReasonGiven
from app.schemas.role import Permission
from app.services.operations import JobOperations
from app.services.scope import Scope

router = page_router()

JobScope = Annotated[Scope, console_scope(Permission.MANAGE_JOBS)]

MAX_DELAY = 366 * 24 * 3600


class EnqueueForm(ReasonGiven, extra="allow"):
    delay: Annotated[int, Field(ge=0, le=MAX_DELAY)] = 0


@router.get("/console/enqueue")
async def show_job_classes(visit: Visit, scope: JobScope) -> Response:
    return show(visit, scope, "enqueue.html", jobs=all_job_classes())


@router.get("/console/enqueue/{name}")
async def show_job_form(visit: Visit, scope: JobScope, name: str) -> Response:
    job = get_job_class(name)
    return show(visit, scope, "enqueue_job.html", job=job, fields=form_of(job))


@router.post("/console/enqueue/{name}")
async def enqueue(
    request: Request,
    visit: Visit,
    scope: JobScope,
    name: str,
    form: Annotated[EnqueueForm, Form()],
) -> Response:
    job = read_job(get_job_class(name), await request.form())
    scope.reason = form.reason
    operations = JobOperations(scope, resources_of(request).sessions)
    delay = timedelta(seconds=form.delay) if form.delay else None
    try:
        job_id = operations.enqueue(job, delay=delay)
    except InvalidJob as error:
        raise InvalidField(PREFIX + error.field.split(".")[0], str(error)) from None
    return visit.redirect(f"/console/jobs/{job_id}", Notice.JOB_ENQUEUED)
