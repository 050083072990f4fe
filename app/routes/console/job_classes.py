"""The pages of job classes: statistics, recent failures, and places in the code."""

from starlette.responses import Response

from app.core.control import job_class_details, list_job_classes
from app.routes.console.access import ConsoleScope
from app.routes.console.layout import show
from app.routes.pages.route import page_router
from app.routes.pages.visit import Visit

router = page_router()


@router.get("/console/classes")
async def show_classes(visit: Visit, scope: ConsoleScope) -> Response:
    return show(visit, scope, "classes.html", classes=await list_job_classes(scope.queues))


@router.get("/console/classes/{name}")
async def show_class(visit: Visit, scope: ConsoleScope, name: str) -> Response:
    return show(visit, scope, "class.html", details=await job_class_details(scope.queues, name))
