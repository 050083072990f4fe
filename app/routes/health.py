"""What load balancers and orchestrators ask: is the process there, and can it serve."""

from fastapi import APIRouter, Request, Response, status

from app.routes.deps import OpenResources
from app.schemas.health import Readiness
from app.services.health_service import check_readiness

router = APIRouter(prefix="/health", tags=["health"])


@router.get("/live")
async def live() -> dict[str, str]:
    """Answer without touching anything."""
    return {"status": "ok"}


@router.get("/ready", responses={status.HTTP_503_SERVICE_UNAVAILABLE: {"model": Readiness}})
async def ready(request: Request, response: Response, resources: OpenResources) -> Readiness:
    """Check PostgreSQL and every queue's Redis; 503 names what is down."""
    readiness = await check_readiness(resources, shutting_down=request.state.shutdown.begun)
    if not readiness.ready:
        response.status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    return readiness
