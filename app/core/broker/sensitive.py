"""Arguments of jobs that no operator sees: `token: Annotated[str, Sensitive]`.

They are in the row and in Redis, because the worker needs them. A page, a command, and a stored
error show a placeholder instead.
"""

from collections.abc import Iterator, Mapping

from pydantic import BaseModel, JsonValue

HIDDEN = "•••"

SHORTEST = 4
"""Characters. Hiding a shorter text would garble every sentence, and protect nothing."""


class Sensitive:
    """Marks a field of a job. All that is in the field is hidden."""


def sensitive_fields(job: type[BaseModel]) -> frozenset[str]:
    """Return the names of the fields that are marked."""
    return frozenset(name for name, field in job.model_fields.items() if _is_marked(field.metadata))


def hide_sensitive(
    job: type[BaseModel] | None, payload: Mapping[str, JsonValue]
) -> dict[str, JsonValue]:
    """Return the payload of a job without what is marked. A class that is unknown hides all."""
    hidden = payload.keys() if job is None else sensitive_fields(job)
    return {name: HIDDEN if name in hidden else value for name, value in payload.items()}


def redact(text: str, job: type[BaseModel] | None, payload: Mapping[str, JsonValue]) -> str:
    """Return a text, such as an error, without the values that are marked."""
    marked = () if job is None else sensitive_fields(job)
    values = {text for name in marked for text in _texts(payload.get(name))}
    # The longest first: a shorter one may be a part of it.
    for value in sorted(values, key=len, reverse=True):
        text = text.replace(value, HIDDEN)
    return text


def _is_marked(metadata: list[object]) -> bool:
    return any(each is Sensitive or isinstance(each, Sensitive) for each in metadata)


def _texts(value: JsonValue) -> Iterator[str]:
    """Yield each text of a value, as it is and as Python writes it."""
    match value:
        case str():
            for form in (value, repr(value)[1:-1]):
                if len(form) >= SHORTEST:
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
