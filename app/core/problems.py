"""Every error as `application/problem+json` (RFC 9457), and so it stands in the OpenAPI too."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from app.core.logging import current_request_id
from app.schemas.login import SecondFactorChallenge

MEDIA_TYPE = "application/problem+json"


class FieldError(BaseModel):
    loc: list[str | int]
    msg: str
    type: str


class Problem(BaseModel):
    type: str = "about:blank"
    title: str
    status: int
    detail: str
    request_id: str | None = None
    errors: list[FieldError] | None = None
    second_factor: SecondFactorChallenge | None = None


class ProblemResponse(JSONResponse):
    media_type = MEDIA_TYPE

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        errors: Sequence[FieldError] | None = None,
        second_factor: SecondFactorChallenge | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        problem = Problem(
            title=HTTPStatus(status).phrase,
            status=status,
            detail=detail,
            request_id=current_request_id(),
            errors=list(errors) if errors is not None else None,
            second_factor=second_factor,
        )
        super().__init__(problem.model_dump(exclude_none=True), status, headers)


async def handle_http_exception(_: Request, error: Exception) -> ProblemResponse:
    assert isinstance(error, HTTPException)
    return ProblemResponse(error.status_code, str(error.detail), headers=error.headers)


async def handle_invalid_request(_: Request, error: Exception) -> ProblemResponse:
    """Name each bad field. Its value is not sent back: it may be a password, or 60 MB."""
    assert isinstance(error, RequestValidationError)
    errors = [FieldError(loc=list(e["loc"]), msg=e["msg"], type=e["type"]) for e in error.errors()]
    detail = "; ".join(f"{'.'.join(map(str, e.loc))}: {e.msg}" for e in errors)
    return ProblemResponse(422, detail, errors=errors)


def describe_problems(openapi: dict[str, Any]) -> dict[str, Any]:
    """Give the problems their own media type; FastAPI describes them in that of the answer."""
    for path in openapi["paths"].values():
        for operation in path.values():
            problem = operation["responses"].get("default", {})
            if content := problem.get("content"):
                [described] = content.values()
                problem["content"] = {MEDIA_TYPE: described}
    return openapi
