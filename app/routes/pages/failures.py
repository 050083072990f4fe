"""The tables of failures and how pages show them."""

from collections.abc import Collection, Mapping, Sequence
from http import HTTPStatus
from math import ceil
from typing import TypeVar

from fastapi.exceptions import RequestValidationError
from pydantic_core import ErrorDetails
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.responses import Response

from app.core.exceptions import AppError, InvalidField, TooManyAttempts
from app.core.http import errors
from app.core.http.crashes import CRASHED
from app.core.http.paths import route_path
from app.core.http.problems import handle_http_exception
from app.routes.pages.submission import Submission
from app.routes.pages.visit import PageVisit
from app.services.account_service import SamePassword
from app.services.auth.email_token_service import InvalidToken
from app.services.auth.principal import NotEnoughPermissions, NotEnoughPrivileges
from app.services.auth.reauthentication import IncorrectPassword
from app.services.auth.totp_service import IncorrectCode
from app.services.user_service import EmailTaken

Value = TypeVar("Value")

FIELDS_OF: Mapping[type[Exception], Collection[str]] = {
    EmailTaken: {"email"},
    IncorrectPassword: {"current_password", "password"},
    IncorrectCode: {"code"},
    SamePassword: {"new_password"},
}
"""The form fields at which a failure is shown. Other failures are shown for the whole form."""

PAGE_OF: Mapping[type[Exception], str] = {InvalidToken: "link_expired.html"}
"""The page of a failure that explains what to do next. Other failures have a common page."""

FORBIDDEN = "Your account may not open this page or do this."
TEXT_OF: Mapping[type[Exception], str] = {
    EmailTaken: "There is an account with this address.",
    NotEnoughPermissions: FORBIDDEN,
    NotEnoughPrivileges: FORBIDDEN,
}
"""Texts that are clearer for people than the API's, which must stay compatible."""

MISSING = "Fill in this field."
INVALID_FORM = "Fill in the form, then send it again."


def submission_after(failure: Exception, values: FormData) -> Submission:
    """Return the values and errors that the form shows after a failure."""
    match failure:
        case RequestValidationError():
            return _invalid(failure.errors(), values)
        case InvalidField(field=field):
            return Submission(values, {field: _sentence(str(failure))})
        case _ if fields := values.keys() & (_find(FIELDS_OF, failure) or set()):
            return Submission(values, dict.fromkeys(fields, text_of(failure)))
        case _:
            return Submission(values, problem=text_of(failure))


def show_failure(visit: PageVisit, failure: Exception) -> Response:
    """Return the page of a failure that is not shown in a form."""
    status = status_of(failure)
    return visit.render(
        _find(PAGE_OF, failure) or "error.html",
        title=HTTPStatus(status).phrase,
        text=text_of(failure),
        status_code=status,
    )


async def show_not_found(request: HTTPConnection, error: Exception) -> Response:
    """Return a page to people. Programs and paths of the API get `application/problem+json`."""
    is_for_programs = route_path(request.scope).startswith("/api/")
    if is_for_programs or "text/html" not in request.headers.get("accept", ""):
        return await handle_http_exception(request, error)
    return PageVisit(request).render("not_found.html", status_code=HTTPStatus.NOT_FOUND)


def is_about_the_form(failure: Exception) -> bool:
    """Return whether the user can correct the failure in the form."""
    return isinstance(failure, AppError | RequestValidationError)


def status_of(failure: Exception) -> int:
    match failure:
        case HTTPException(status_code=status):
            return status
        case RequestValidationError():
            return HTTPStatus.UNPROCESSABLE_ENTITY
        case AppError():
            return errors.status_of(failure)
        case _ if errors.is_outage(failure):
            return HTTPStatus.SERVICE_UNAVAILABLE
        case _:
            return HTTPStatus.INTERNAL_SERVER_ERROR


def text_of(failure: Exception) -> str:
    """Return a sentence for the user."""
    match failure:
        case TooManyAttempts(retry_after=seconds):
            minutes = ceil(seconds / 60)
            return f"Too many attempts. Try again in {minutes} minute{'s' * (minutes > 1)}."
        case HTTPException(detail=detail):
            return _sentence(detail)
        case AppError():
            return _find(TEXT_OF, failure) or _sentence(str(failure))
        case RequestValidationError():
            return INVALID_FORM
        case _ if errors.is_outage(failure):
            return errors.BUSY
        case _:
            return CRASHED


def _invalid(errors: Sequence[ErrorDetails], values: FormData) -> Submission:
    fields = {str(error["loc"][1]): _explain(error) for error in errors if len(error["loc"]) > 1}
    return Submission(values, fields, None if fields else INVALID_FORM)


def _explain(error: ErrorDetails) -> str:
    match error["type"], error.get("ctx", {}):
        case "missing", _:
            return MISSING
        case _, {"min_length": length}:
            return f"Use at least {length} characters." if length > 1 else MISSING
        case _, {"max_length": length}:
            return f"Use at most {length} characters."
        case "value_error", {"reason": _}:  # the email validator's reason is too technical
            return "This is not an email address."
        case _:
            return _sentence(error["msg"].removeprefix("Value error, "))


def _find(table: Mapping[type[Exception], Value], failure: Exception) -> Value | None:
    return next((table[kind] for kind in type(failure).__mro__ if kind in table), None)


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."
