"""Examples of fields that are called like others."""

from typing import Any

import pytest

from app.core.http.examples import Examples

Field = dict[str, Any]


@pytest.mark.parametrize(
    ("field", "example"),
    [
        ({"type": "string"}, "succeeded"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "succeeded"),
        ({"type": "integer"}, 1),
        ({"enum": ["open", "done"]}, "open"),
        ({"$ref": "#/components/schemas/State"}, "open"),
    ],
)
def test_a_value_of_another_field_is_shown_only_where_it_is_possible(
    field: Field, example: str | int
) -> None:
    shown: Field = {"schema": {"$ref": "#/components/schemas/Order"}}
    order = {"title": "Order", "properties": {"state": field}}
    document = {
        "components": {"schemas": {"Order": order, "State": {"enum": ["open", "done"]}}},
        "paths": {"/": {"get": {"responses": {"200": {"content": {"application/json": shown}}}}}},
    }

    Examples({"state": "succeeded"}).add_to(document)

    assert shown["example"] == {"state": example}
