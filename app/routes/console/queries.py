"""Queries of forms that use GET, so that the URL contains the values and can be bookmarked."""

from datetime import UTC, datetime
from typing import Annotated, TypeVar
from urllib.parse import urlencode

from fastapi.exceptions import RequestValidationError
from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    StringConstraints,
    ValidationError,
)
from starlette.datastructures import FormData

from app.core.http.paths import route_path
from app.routes.pages.failures import submission_after
from app.routes.pages.submission import Submission
from app.routes.pages.visit import PageVisit

Query = TypeVar("Query", bound=BaseModel)


def _as_utc(text: object) -> object:
    """Add UTC to the value of a time input, which has no time zone."""
    if not isinstance(text, str):
        return text
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


Moment = Annotated[AwareDatetime, BeforeValidator(_as_utc)]
Word = Annotated[str, StringConstraints(strip_whitespace=True, max_length=255)]


def read_query(visit: PageVisit, model: type[Query]) -> Query | None:
    """Return the query of a page, or None if a value is invalid, which the page then shows.

    An empty field counts as missing.
    """
    given = visit.request.query_params
    values = FormData([*given.multi_items()])
    try:
        query = model.model_validate({name: text for name, text in given.items() if text.strip()})
    except ValidationError as error:
        errors = [{**each, "loc": ("query", *each["loc"])} for each in error.errors()]
        failure = RequestValidationError(errors)
        visit.request.state.submission = submission_after(failure, values)
        return None
    visit.request.state.submission = Submission(values)
    return query


def path_with(path: str, **query: object) -> str:
    """Return a path with a query, without empty values."""
    encoded = urlencode({name: value for name, value in query.items() if value not in {None, ""}})
    return f"{path}?{encoded}" if encoded else path


def link_with(visit: PageVisit, path: str | None = None, **changes: object) -> str:
    """Return the path and query of this page with some values changed or removed."""
    query = dict(visit.request.query_params) | changes
    return path_with(path or route_path(visit.request.scope), **query)
