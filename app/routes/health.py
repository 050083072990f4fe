"""For load balancers and orchestrators: whether the process lives and can serve."""

from fastapi import Request, Response, status

from app.core.http.routing import Router, constant
from app.routes.deps.request import resources_of
from app.schemas.health import Readiness
from app.services.health_service import check_readiness

router = Router(prefix="/health", tags=["health"])


@router.get("/live")
@constant
def live() -> dict[str, str]:
    """Answer without asking any other server."""
    return {"status": "ok"}


@router.get("/ready", responses={status.HTTP_503_SERVICE_UNAVAILABLE: {"model": Readiness}})
async def ready(request: Request, response: Response) -> Readiness:
    """Check PostgreSQL and every queue's Redis. A 503 names what is down."""
    resources = resources_of(request)
    readiness = await check_readiness(
        resources.database,
        resources.queues,
        resources.settings,
        shutting_down=request.state.shutdown.begun,
    )
    if not readiness.ready:
        response.status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    return readiness
