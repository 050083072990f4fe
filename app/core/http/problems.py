"""Errors as `application/problem+json` (RFC 9457)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from http import HTTPStatus
from itertools import islice
from typing import Any

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse

from app.core.logging import current_request_id

MEDIA_TYPE = "application/problem+json"

RECENT_PROOF_REQUIRED = "urn:problem:recent-proof-required"

MAX_ERRORS = 20
MAX_ERRORS_SIZE = 2_400
"""In bytes of UTF-8. With the rest of a problem, a response stays below 4 kB."""

MAX_DETAIL = 300
MAX_MESSAGE = 200
MAX_LOCATION = 5
MAX_NAME = 64
"""In characters. Names of fields and some messages contain data of the client."""


class FieldError(BaseModel):
    """One invalid field of a request."""

    loc: list[str | int] = Field(
        description="Where the field is, such as `body` and `email`",
        examples=[["body", "email"]],
    )
    msg: str = Field(description="What is wrong with it", examples=["Field required"])
    type: str = Field(description="The kind of error, for programs", examples=["missing"])


class SecondFactorChallenge(BaseModel):
    """A login whose password was right. The second step continues it."""

    token: str = Field(
        description="For `POST /login/second-factor`",
        examples=["mDZxTtZ0t3v7yq0hBq2cMZpVpiIqRkrNqfTyDbHd9kA"],
    )
    expires_in: int = Field(description="Seconds for which the token is valid", examples=[300])
    methods: list[str] = Field(
        description="What the second step may consist of",
        examples=[["totp", "passkey", "recovery_code"]],
    )


class RecentProof(BaseModel):
    """What the user has to do before the request can succeed."""

    methods: list[str] = Field(
        description="What the user can prove it with, by `POST /login/reauthenticate`. The method "
        "`login` means that the user has to log in again",
        examples=[["password", "totp", "passkey"]],
    )
    minutes: int = Field(description="For how long a proof counts", examples=[5])


class Problem(BaseModel):
    """What went wrong. `detail` is a sentence that a front end can show."""

    type: str = Field(
        "about:blank",
        description=f"`{RECENT_PROOF_REQUIRED}` where the user has to prove again who they are; "
        "otherwise `about:blank`: see `status`",
    )
    title: str = Field(description="The name of the status", examples=["Not Found"])
    status: int = Field(description="The status of the response", examples=[404])
    detail: str = Field(description="What went wrong, in a sentence", examples=["User not found"])
    request_id: str | None = Field(
        None,
        description="The id of the request in our log",
        examples=["01a2172307b575d3adbe53655c3d4292"],
    )
    errors: list[FieldError] | None = Field(
        None, description="The invalid fields of a request; at most 20"
    )
    second_factor: SecondFactorChallenge | None = Field(
        None, description="Only where a login needs its second step"
    )
    proof: RecentProof | None = Field(
        None, description="Only where the user has to prove again who they are"
    )


class ProblemResponse(JSONResponse):
    media_type = MEDIA_TYPE

    def __init__(  # noqa: PLR0913  each is a member of the problem
        self,
        status: int,
        detail: str,
        *,
        errors: Sequence[FieldError] | None = None,
        second_factor: SecondFactorChallenge | None = None,
        proof: RecentProof | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        problem = Problem(
            type=RECENT_PROOF_REQUIRED if proof is not None else "about:blank",
            title=HTTPStatus(status).phrase,
            status=status,
            detail=_shortened(detail, MAX_DETAIL),
            request_id=current_request_id(),
            errors=list(errors) if errors is not None else None,
            second_factor=second_factor,
            proof=proof,
        )
        super().__init__(problem.model_dump(exclude_none=True), status, headers)


async def handle_http_exception(_: HTTPConnection, error: Exception) -> ProblemResponse:
    assert isinstance(error, HTTPException)
    return ProblemResponse(error.status_code, str(error.detail), headers=error.headers)


async def handle_invalid_request(_: HTTPConnection, error: Exception) -> ProblemResponse:
    """Return the invalid fields without their values, which may be a password or very large."""
    assert isinstance(error, RequestValidationError)
    found = error.errors()
    errors = [*_within_size(map(_field_error, islice(found, MAX_ERRORS)))]
    detail = "; ".join(f"{'.'.join(map(str, e.loc))}: {e.msg}" for e in errors)
    if len(errors) < len(found):
        detail = f"{len(found)} errors, such as {detail}"
    return ProblemResponse(422, detail, errors=errors)


def _field_error(details: Mapping[str, Any]) -> FieldError:
    location = [
        part if isinstance(part, int) else _shortened(str(part), MAX_NAME)
        for part in details["loc"][:MAX_LOCATION]
    ]
    return FieldError(
        loc=location, msg=_shortened(details["msg"], MAX_MESSAGE), type=details["type"]
    )


def _within_size(errors: Iterable[FieldError]) -> Iterator[FieldError]:
    """Yield the first error, and further ones as long as their total size is within the limit."""
    size = 0
    for number, error in enumerate(errors):
        size += len(error.model_dump_json().encode(errors="replace"))
        if number and size > MAX_ERRORS_SIZE:
            return
        yield error


def _shortened(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"
