"""An archive of everything that is stored about the user."""

from typing import Annotated

from fastapi import Query, Response, status

from app.core.http.routing import Router
from app.routes.deps.principals import UserScope
from app.routes.deps.request import AnonymousScope
from app.schemas.common import Message
from app.services.personal_data.export_service import PersonalDataService

router = Router(tags=["personal_data"])

Token = Annotated[str, Query(max_length=64, description="The token of the emailed link")]


@router.post("/users/me/export", status_code=status.HTTP_202_ACCEPTED)
async def export_personal_data_me(scope: UserScope) -> Message:
    """Export everything that is stored about the user. An email with a link to it follows."""
    await PersonalDataService(scope).request()
    return Message(message="We send you an email with a link to your personal data")


@router.get("/personal-data", responses={200: {"content": {"application/json": {}}}})
async def download_personal_data(scope: AnonymousScope, token: Token) -> Response:
    """Download the archive with the token of the emailed link. It works until it expires."""
    archive = await PersonalDataService(scope).download(token)
    return Response(
        archive,
        media_type="application/json",
        headers={"Content-Disposition": 'attachment; filename="personal-data.json"'},
    )
