from fastapi import APIRouter, Depends, status

from app.routes.deps import Uow, get_superuser
from app.schemas.fields import Email, Message
from app.schemas.jobs import SendTestEmail

router = APIRouter(prefix="/utils", tags=["utils"])


@router.get("/health-check/")
async def health_check() -> bool:
    """Answer true, without touching anything."""
    return True


@router.post(
    "/test-email/", dependencies=[Depends(get_superuser)], status_code=status.HTTP_201_CREATED
)
async def test_email(uow: Uow, email_to: Email) -> Message:
    """Have a mail sent, to see whether sending works."""
    uow.enqueue(SendTestEmail(email=email_to))
    return Message(message="Test email sent")
