"""Health checks for load balancers and orchestrators: whether the process is alive and ready."""

from fastapi import Request, Response, status

from app.core.http.routing import Router, constant
from app.routes.deps.request import resources_of
from app.schemas.health import Readiness
from app.services.health_service import check_readiness

router = Router(prefix="/health", tags=["health"])


@router.get("/live")
@constant
def live() -> dict[str, str]:
    """Answer without a request to any other server."""
    return {"status": "ok"}


@router.get("/ready", responses={status.HTTP_503_SERVICE_UNAVAILABLE: {"model": Readiness}})
async def ready(request: Request, response: Response) -> Readiness:
    """Check PostgreSQL and the Redis of every queue. A 503 lists the servers that are down."""
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
