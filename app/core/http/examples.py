"""Examples of request and response bodies, from the schemas and a table of values."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import JsonValue

JSON_TYPES = ("application/json", "application/x-www-form-urlencoded")

BY_FORMAT: Mapping[str, JsonValue] = {
    "date": "2026-03-14",
    "date-time": "2026-03-14T09:26:53Z",
    "email": "ada@example.com",
    "uri": "https://example.com",
    "uuid": "01976f0e-8f6a-7c3d-9b1e-2f4a5c6d7e8f",
}
BY_TYPE: Mapping[str, JsonValue] = {"boolean": True, "number": 0.5, "null": None}

PYTHON_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "array": list,
    "boolean": bool,
    "integer": int,
    "null": type(None),
    "number": (int, float),
    "object": dict,
    "string": str,
}

Schema = Mapping[str, Any]


class Examples:
    """Adds one example per body.

    The value of a field comes from its entry in the table, `Schema.field` or `field`, or else from
    the schema's examples, or else from its type and format. So a new field needs no entry.
    """

    def __init__(self, values: Mapping[str, JsonValue]) -> None:
        self._values = values

    def add_to(self, document: dict[str, Any]) -> None:
        schemas = document["components"]["schemas"]
        for content in _contents(document):
            for media_type in content.keys() & JSON_TYPES:
                shown = content[media_type]
                shown.setdefault("example", self._of(shown["schema"], "", "", schemas))

    def _of(self, schema: Schema, owner: str, name: str, schemas: Schema) -> JsonValue:
        if "$ref" in schema:
            title = schema["$ref"].rpartition("/")[2]
            return self._of({"title": title, **schemas[title]}, owner, name, schemas)
        for key in (f"{owner}.{name}", schema.get("title", "") if not owner else ""):
            if key in self._values:
                return self._values[key]
        if examples := schema.get("examples"):
            return _first(examples)
        if name in self._values and _fits(self._values[name], schema, schemas):
            return self._values[name]
        return self._by_type(schema, owner, name, schemas)

    def _by_type(self, schema: Schema, owner: str, name: str, schemas: Schema) -> JsonValue:
        match schema:
            case {"anyOf": [first, *_]}:
                return self._of(first, owner, name, schemas)
            case {"properties": properties, "title": title}:
                return {
                    field: self._of(each, title, field, schemas)
                    for field, each in properties.items()
                }
            case {"items": items}:
                return [self._of(items, owner, name.removesuffix("s"), schemas)]
            case _:
                return _scalar(schema, name)


def _fits(value: JsonValue, schema: Schema, schemas: Schema) -> bool:
    """Return whether a value can be that of a field which only has the same name as another one."""
    match schema:
        case {"$ref": reference}:
            return _fits(value, schemas[reference.rpartition("/")[2]], schemas)
        case {"anyOf": alternatives}:
            return any(_fits(value, each, schemas) for each in alternatives)
        case {"enum": values}:
            return value in values
        case {"properties": _}:
            return False
        case {"type": kind}:
            return isinstance(value, PYTHON_TYPES[kind])
        case _:
            return True


def _scalar(schema: Schema, name: str) -> JsonValue:
    match schema:
        case {"const": value} | {"default": value} | {"enum": [value, *_]}:
            return value  # type: ignore[no-any-return]  # a schema is JSON
        case {"type": "integer"}:
            return int(schema.get("minimum", 1))
        case {"format": form} if form in BY_FORMAT:
            return BY_FORMAT[form]
        case _:
            return BY_TYPE.get(schema.get("type", "null"), name or "text")


def _contents(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the content of every request and of every successful response."""
    for path in document["paths"].values():
        for operation in path.values():
            if "requestBody" in operation:
                yield operation["requestBody"]["content"]
            for response in operation["responses"].values():
                yield response.get("content", {})


def _first(values: list[JsonValue]) -> JsonValue:
    return values[0]
