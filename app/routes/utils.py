"""Checks of the service and of its email."""

from fastapi import status

from app.core.http.routing import Router
from app.routes.deps.principals import SuperuserScope
from app.schemas.common import Email, Message
from app.services.admin_service import AdminService

router = Router(prefix="/utils", tags=["utils"])


@router.get("/health-check/")
async def health_check() -> bool:
    """Answer true without a request to any other server."""
    return True


@router.post("/test-email/", status_code=status.HTTP_201_CREATED)
async def test_email(scope: SuperuserScope, email_to: Email) -> Message:
    """Send a test email to check that sending works."""
    await AdminService(scope).send_test_email(email_to)
    return Message(message="Test email sent")
