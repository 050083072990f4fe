"""The parameters of endpoints and dependencies, analyzed once when the service starts.

FastAPI analyzes them on every request. Values and errors come from functions of FastAPI.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import Request
from fastapi._compat import ModelField, field_annotation_is_scalar, get_missing_field_error
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import get_validation_alias, request_params_to_args
from fastapi.params import File, Form
from starlette.datastructures import FormData

Values = dict[str, Any]
Errors = list[Any]

SOURCES = {
    "path_params": ("path", "path_params"),
    "query_params": ("query", "query_params"),
    "header_params": ("header", "headers"),
    "cookie_params": ("cookie", "cookies"),
}
"""The kinds of parameters, with their names in errors and their attributes of a request."""


class Parameters:
    """Reads the parameters of a function from a request."""

    def __init__(self, dependant: Dependant) -> None:
        kinds = [(getattr(dependant, kind), place) for kind, place in SOURCES.items()]
        self._scalars = [
            ([Scalar(field, place) for field in fields], source)
            for fields, (place, source) in kinds
            if fields and all(map(is_scalar, fields))
        ]
        self._others = [
            (fields, source) for fields, (_, source) in kinds if not all(map(is_scalar, fields))
        ]
        self._body = dependant.body_params
        self._form = [Scalar(field, "body") for field in dependant.body_params if is_form(field)]
        self._request_name = dependant.request_param_name or dependant.http_connection_param_name

    def read(self, request: Request, body: object) -> tuple[Values, Errors]:
        """Return the arguments of a call, and the validation errors."""
        values: Values = {}
        errors: Errors = []
        for scalars, source in self._scalars:
            _read_all(scalars, getattr(request, source), values, errors)
        for fields, source in self._others:
            found, wrong = request_params_to_args(fields, getattr(request, source))
            values.update(found)
            errors += wrong
        if isinstance(body, FormData):
            _read_all(self._form, body, values, errors)
        elif self._body:
            [field] = self._body
            values[field.name], wrong = field.validate(body, values, loc=("body",))
            errors += wrong
        if self._request_name is not None:
            values[self._request_name] = request
        return values, errors


class Scalar:
    """A parameter with one value."""

    def __init__(self, field: ModelField, place: str) -> None:
        self.name = field.name
        self._field = field
        self._key = get_validation_alias(field)
        self._place = (place, self._key)
        self._is_required = field.field_info.is_required()
        self._makes_default = field.field_info.default_factory is not None
        self._default = None if self._makes_default else field.get_default()
        self._missing = (None, "") if is_form(field) else (None,)

    def read(self, source: Mapping[str, Any]) -> tuple[Any, Errors]:
        """Return the value and the validation errors."""
        given = source.get(self._key)
        if given not in self._missing:
            return self._field.validate(given, loc=self._place)
        if self._is_required:
            return None, [get_missing_field_error(self._place)]
        return self._field.get_default() if self._makes_default else self._default, []


def is_scalar(field: ModelField) -> bool:
    """Return whether a parameter has one value and one name."""
    info = field.field_info
    return (
        field_annotation_is_scalar(info.annotation)
        and isinstance(info.validation_alias, str | None)
        and not info.validate_default
    )


def is_form(field: ModelField) -> bool:
    """Return whether a parameter is a field of a form but not a file."""
    return isinstance(field.field_info, Form) and not isinstance(field.field_info, File)


def _read_all(
    scalars: Sequence[Scalar], source: Mapping[str, Any], values: Values, errors: Errors
) -> None:
    for scalar in scalars:
        values[scalar.name], wrong = scalar.read(source)
        errors += wrong
