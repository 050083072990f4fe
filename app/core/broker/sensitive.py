"""Arguments of jobs that are hidden from operators: `token: Annotated[str, Sensitive]`.

The row and Redis contain them, because the worker needs them. Pages, commands, and stored errors
show a placeholder instead.
"""

from collections.abc import Iterator, Mapping

from pydantic import BaseModel, JsonValue

HIDDEN = "•••"

MIN_LENGTH = 4
"""In characters. Replacing shorter texts would garble errors, and protect nothing."""


class Sensitive:
    """Marks a field of a job, whose whole value is then hidden."""


def sensitive_fields(job: type[BaseModel]) -> frozenset[str]:
    """Return the names of the marked fields."""
    return frozenset(name for name, field in job.model_fields.items() if _is_marked(field.metadata))


def hide_sensitive(
    job: type[BaseModel] | None, payload: Mapping[str, JsonValue]
) -> dict[str, JsonValue]:
    """Return a job's payload without marked values. If the class is unknown, hide all values."""
    hidden = payload.keys() if job is None else sensitive_fields(job)
    return {name: HIDDEN if name in hidden else value for name, value in payload.items()}


def redact(text: str, job: type[BaseModel] | None, payload: Mapping[str, JsonValue]) -> str:
    """Return a text, such as an error, without marked values."""
    marked = () if job is None else sensitive_fields(job)
    values = {text for name in marked for text in _texts(payload.get(name))}
    # The longest first, because a shorter value may be a part of it.
    for value in sorted(values, key=len, reverse=True):
        text = text.replace(value, HIDDEN)
    return text


def _is_marked(metadata: list[object]) -> bool:
    return any(each is Sensitive or isinstance(each, Sensitive) for each in metadata)


def _texts(value: JsonValue) -> Iterator[str]:
    """Yield each text in a value, and its `repr` without quotes."""
    match value:
        case str():
            for form in (value, repr(value)[1:-1]):
                if len(form) >= MIN_LENGTH:
                    yield form
        case list():
            for each in value:
                yield from _texts(each)
        case dict():
            for each in value.values():
                yield from _texts(each)
        case None | bool():
            return
        case _:
            yield from _texts(str(value))
