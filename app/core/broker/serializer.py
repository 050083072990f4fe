"""A JSON serializer for arq, so that no pickle is ever loaded."""

from typing import Any

import pydantic_core

from app.core.broker.errors import error_message


class HiddenArguments(dict[str, Any]):
    """The arguments of a job, hidden from arq, which logs the repr of every argument."""

    def __repr__(self) -> str:
        return "…"


def to_json(value: object) -> bytes:
    """Return a value as JSON. An exception becomes `{"error": class, "message": text}`.

    Raises TypeError or ValueError for a value that has no JSON form.
    """
    return pydantic_core.to_json(value, fallback=_describe_exception)


def from_json(data: bytes) -> dict[str, Any]:
    """Parse data that arq has stored. Raises ValueError if it is not JSON."""
    value: dict[str, Any] = pydantic_core.from_json(data)
    value["a"] = [HiddenArguments(a) if isinstance(a, dict) else a for a in value["a"]]
    return value


def _describe_exception(value: object) -> dict[str, str]:
    if isinstance(value, BaseException):
        return {"error": type(value).__name__, "message": error_message(value)}
    raise TypeError(f"{type(value).__name__} has no JSON form")
