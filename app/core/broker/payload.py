"""Validation of a job's fields: the worker must get exactly the values that were enqueued."""

from collections.abc import Iterator

from pydantic import BaseModel, JsonValue, ValidationError
from pydantic_core import to_json

from app.core.exceptions import InvalidField

MAX_PAYLOAD = 65_536
"""In bytes of JSON. The limit exists because each job is stored and sent several times."""


class PayloadTooLarge(ValueError):
    def __init__(self, job: str, size: int) -> None:
        super().__init__(
            f"{job} has {size} bytes of arguments, more than {MAX_PAYLOAD}. "
            "Store the data, and pass its id to the job"
        )


class FieldNotPreserved(TypeError):
    """A field of a job class would be lost or changed in the encoding."""

    def __init__(self, job: str, field: str, reason: str) -> None:
        super().__init__(f"{job}.{field} {reason}. A job needs plain fields")


class InvalidJob(InvalidField, ValueError):
    """A value of a job cannot be encoded, or would be decoded as another value."""

    def __init__(self, job: str, field: str, reason: str) -> None:
        super().__init__(field, f"{job}.{field} {reason}")


def require_plain_fields(job: type[BaseModel]) -> None:
    """Raise FieldNotPreserved for a field that would be lost or changed in the encoding."""
    for name in job.model_computed_fields:
        raise FieldNotPreserved(job.__name__, name, "is a computed field")
    for name in job.__private_attributes__:
        raise FieldNotPreserved(job.__name__, name, "is a private attribute")
    for name, field in job.model_fields.items():
        if field.alias or field.validation_alias or field.serialization_alias:
            raise FieldNotPreserved(job.__name__, name, "has an alias")
        if field.exclude or field.exclude_if:
            raise FieldNotPreserved(job.__name__, name, "is excluded from the payload")
        if field.init is False:
            raise FieldNotPreserved(job.__name__, name, "cannot be set by the constructor")


def payload_of(job: BaseModel) -> dict[str, JsonValue]:
    """Return the fields of a job as JSON.

    Raises InvalidJob, which names the field, unless PostgreSQL can store the payload and the same
    job can be rebuilt from it. Raises PayloadTooLarge.
    """
    name = type(job).__name__
    try:
        payload = job.model_dump(mode="json")
    except ValueError as error:
        raise InvalidJob(name, _field_without_json(job), "has no JSON form") from error
    for field, problem in _unstorable(payload):
        raise InvalidJob(name, field, problem)
    if (size := len(to_json(payload))) > MAX_PAYLOAD:
        raise PayloadTooLarge(name, size)
    try:
        rebuilt = type(job).model_validate(payload)
    except ValidationError as error:
        field = ".".join(map(str, error.errors(include_input=False)[0]["loc"]))
        raise InvalidJob(name, field, "cannot be rebuilt from its JSON form") from error
    for field in type(job).model_fields:
        if getattr(rebuilt, field) != getattr(job, field):
            raise InvalidJob(name, field, "would reach the worker as another value")
    return payload


def check_text(job: str, field: str, text: str, max_length: int) -> None:
    """Raise InvalidJob unless PostgreSQL can store a text in a column of this length."""
    if len(text) > max_length:
        raise InvalidJob(job, field, f"has {len(text)} characters, more than {max_length}")
    if problem := _problem_of(text):
        raise InvalidJob(job, field, problem)


def _field_without_json(job: BaseModel) -> str:
    for field in type(job).model_fields:
        try:
            job.model_dump(mode="json", include={field})
        except ValueError:
            return field
    return "payload"


def _unstorable(value: JsonValue, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield the path of each text that PostgreSQL cannot store, with the problem."""
    match value:
        case str():
            if problem := _problem_of(value):
                yield path, problem
        case list():
            for number, each in enumerate(value):
                yield from _unstorable(each, f"{path}.{number}")
        case dict():
            for key, each in value.items():
                inner = f"{path}.{key}" if path else key
                if problem := _problem_of(key):
                    yield ascii(inner), problem
                yield from _unstorable(each, inner)


def _problem_of(text: str) -> str | None:
    if "\x00" in text:
        return "contains a NUL character"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "contains half a surrogate pair"
    return None
