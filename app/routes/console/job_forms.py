"""Forms for jobs, which are generated from the job classes, and parsing of their values."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin
from uuid import UUID

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import to_json
from starlette.datastructures import FormData

from app.core.broker.sensitive import sensitive_fields
from app.core.queue import Job, job_classes

PREFIX = "field-"
"""The prefix of a job's fields, because the form also has other fields."""

AS_TEXT = (str, UUID, bytes)
INPUTS: Mapping[object, str] = {bool: "checkbox", int: "number", float: "number", date: "date"}
HINTS: Mapping[type, str] = {UUID: "An id (UUID)", datetime: "A time, such as 2026-01-31T09:00Z"}


@dataclass(frozen=True, slots=True, kw_only=True)
class FormField:
    """The input for a field of a job. `kind` is the type of the input, or `select`, or `json`."""

    name: str
    label: str
    kind: str
    hint: str | None
    default: str
    optional: bool
    choices: Sequence[str] = ()


def all_job_classes() -> list[type[Job]]:
    """Return the job classes of this release, sorted by name."""
    return sorted(job_classes(Job), key=lambda job: job.__name__)


def form_of(job: type[Job]) -> list[FormField]:
    """Return the form fields for a job."""
    hidden = sensitive_fields(job)
    return [_field(name, field, name in hidden) for name, field in job.model_fields.items()]


def read_job(job: type[Job], form: FormData) -> Job:
    """Return the job that a form describes.

    Raise RequestValidationError, which names the fields of the form.
    """
    try:
        return job.model_validate(dict(_values(job, form)))
    except ValidationError as error:
        found = error.errors(include_input=False)
        raise RequestValidationError([_as_form_error(dict(each)) for each in found]) from None


def _field(name: str, field: FieldInfo, is_sensitive: bool) -> FormField:
    kind, plain = _kind(field.annotation)
    default = "" if is_sensitive else _default(field)
    hints = (field.description, HINTS.get(plain), "JSON" if kind == "json" else None)
    return FormField(
        name=PREFIX + name,
        label=name.replace("_", " ").capitalize(),
        kind="password" if is_sensitive else kind,
        hint=next((hint for hint in hints if hint), None),
        default=default,
        optional=not field.is_required(),
        choices=_choices(plain),
    )


def _kind(annotation: object) -> tuple[str, Any]:
    """Return the kind of input for a type, and the type without `Annotated` and `| None`."""
    plain = _plain(annotation)
    if _choices(plain):
        return "select", plain
    if plain in INPUTS:
        return INPUTS[plain], plain
    is_text = plain in (*AS_TEXT, datetime) or _is_text(plain)
    return ("text" if is_text else "json"), plain


def _plain(annotation: object) -> object:
    if get_origin(annotation) is Annotated:
        return _plain(get_args(annotation)[0])
    if get_origin(annotation) in {Union, UnionType}:
        kinds = [each for each in get_args(annotation) if each is not NoneType]
        return _plain(kinds[0]) if len(kinds) == 1 else annotation
    return annotation


def _is_text(plain: object) -> bool:
    return isinstance(plain, type) and issubclass(plain, str)


def _choices(plain: object) -> list[str]:
    if get_origin(plain) is Literal:
        return [str(each) for each in get_args(plain)]
    if isinstance(plain, type) and issubclass(plain, Enum):
        return [str(each.value) for each in plain]
    return []


def _default(field: FieldInfo) -> str:
    """Return a default as text, or nothing if it depends on the other fields."""
    if field.is_required() or field.default_factory_takes_validated_data:
        return ""
    return _as_text(field.get_default(call_default_factory=True))


def _as_text(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else ""
        case Enum():
            return str(value.value)
        case list() | dict() | tuple() | set() | frozenset() | BaseModel():
            return to_json(value).decode()
        case _:
            return str(value)


def _values(job: type[Job], form: FormData) -> Iterator[tuple[str, object]]:
    """Yield the submitted values. Empty fields with a default are omitted."""
    errors = []
    for name, field in job.model_fields.items():
        kind, _ = _kind(field.annotation)
        text = form.get(PREFIX + name, "")
        assert isinstance(text, str)
        if kind == "checkbox":
            yield name, bool(text)
        elif kind == "json" and text:
            try:
                yield name, json.loads(text)
            except ValueError:
                errors.append({"type": "json_invalid", "loc": (name,), "msg": "This is not JSON"})
        elif text or (field.is_required() and _is_text(_plain(field.annotation))):
            yield name, text
    if errors:
        raise RequestValidationError([_as_form_error(each) for each in errors])


def _as_form_error(error: dict[str, Any]) -> dict[str, Any]:
    [name, *inner] = error["loc"] or ("",)
    return {**error, "loc": ("body", f"{PREFIX}{name}", *inner)}
