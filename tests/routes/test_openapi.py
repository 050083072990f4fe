"""The OpenAPI document describes the service so well that /docs needs no manual."""

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import jsonschema_rs

from app.routes.failures import FAILURES
from tests.routes.operations import DOCUMENT

PROBLEM = "application/problem+json"

Operation = dict[str, Any]
Schema = dict[str, Any]


def operations() -> dict[str, Operation]:
    return {
        operation["operationId"]: operation
        for path in DOCUMENT["paths"].values()
        for operation in path.values()
    }


OPERATIONS = operations()


def contents(operation: Operation) -> Iterator[dict[str, Any]]:
    """Yield the contents of the request and the responses of an operation."""
    if "requestBody" in operation:
        yield from operation["requestBody"]["content"].values()
    for response in operation["responses"].values():
        yield from response.get("content", {}).values()


def test_the_service_and_its_tags_are_described() -> None:
    described = {tag["name"] for tag in DOCUMENT["tags"] if tag["description"].endswith(".")}

    assert len(DOCUMENT["info"]["description"]) > 300
    assert {tag for operation in OPERATIONS.values() for tag in operation["tags"]} == described


def test_every_operation_is_described() -> None:
    for operation_id, operation in OPERATIONS.items():
        assert operation["summary"], operation_id
        assert operation["description"].rstrip().endswith("."), operation_id


def test_every_operation_documents_its_errors() -> None:
    for operation_id, operation in OPERATIONS.items():
        errors = {
            status: response["content"]
            for status, response in operation["responses"].items()
            if not status.startswith(("2", "3")) and "model" not in response
        }
        assert errors.keys() >= expected_errors(operation), operation_id
        for status in errors.keys() - {"default"}:
            if PROBLEM not in errors[status]:
                assert operation_id == "health-ready"
                continue
            examples = errors[status][PROBLEM]["examples"].values()
            assert {each["value"]["status"] for each in examples} == {int(status)}, operation_id
            assert all(each["value"]["detail"] for each in examples), operation_id


def expected_errors(operation: Operation) -> set[str]:
    expected = {"default"}
    if "security" in operation:
        expected |= {"401", "403"}
    if "requestBody" in operation:
        expected |= {"408", "413", "422"}
    if "parameters" in operation:
        expected |= {"422"}
    if operation["tags"] != ["health"]:
        expected |= {"503"}
    return expected


def test_every_listed_failure_belongs_to_an_operation() -> None:
    names = {operation_id.rpartition("-")[2] for operation_id in OPERATIONS}

    assert {route.__name__ for route in FAILURES} <= names


def test_every_body_has_an_example_that_its_schema_accepts() -> None:
    for operation_id, operation in OPERATIONS.items():
        for content in contents(operation):
            if "itemSchema" in content:
                continue  # a stream of events
            if content["schema"].get("type") == "string":
                continue  # a page of HTML
            shown = [example["value"] for example in content.get("examples", {}).values()]
            shown += [content["example"]] if "example" in content else []
            if content["schema"] != {"$ref": "#/components/schemas/Problem"}:
                assert shown, operation_id
            validator = validator_of(json.dumps(content["schema"]))
            for example in shown:
                assert validator.is_valid(example), (operation_id, example)


@cache
def validator_of(schema: str) -> jsonschema_rs.Validator:
    """Return the validator of a schema. It takes long to build, and errors share one."""
    document = {**json.loads(schema), "components": DOCUMENT["components"]}
    return jsonschema_rs.validator_for(document, validate_formats=True)


def test_everything_that_a_client_sends_has_a_largest_size() -> None:
    # A wrong login gets the same answer at any length, and MAX_BODY_SIZE limits it.
    for operation_id in OPERATIONS.keys() - {"login-login_access_token"}:
        operation = OPERATIONS[operation_id]
        schemas = [parameter["schema"] for parameter in operation.get("parameters", ())]
        body = operation.get("requestBody", {"content": {}})["content"]
        schemas += [content["schema"] for content in body.values()]
        assert [*unlimited(*schemas)] == [], operation_id


def unlimited(*schemas: Schema) -> Iterator[Schema]:
    """Yield the strings and arrays, also inside of others, that have no largest size."""
    for schema in schemas:
        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            yield from unlimited(DOCUMENT["components"]["schemas"][name])
        yield from unlimited(*schema.get("properties", {}).values())
        choices = schema.get("anyOf", ())
        if {"type": "number"} not in choices:  # a decimal: Pydantic limits its digits
            yield from unlimited(*choices)
        if schema.get("type") == "array":
            yield from unlimited(schema["items"])
            if "maxItems" not in schema:
                yield schema
        is_limited = {"maxLength", "enum", "const"} & schema.keys()
        is_short = schema.get("format") in {"uuid", "date", "date-time"}
        if schema.get("type") == "string" and not (is_limited or is_short):
            yield schema


def test_generated_clients_get_names_that_are_words_of_their_languages() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    tags = {tag for operation in OPERATIONS.values() for tag in operation["tags"]}

    assert all(tag.isidentifier() for tag in tags)
    assert {name for name in schemas if not name.isidentifier()} == {
        "Body_login-login_access_token"  # the name that the reference template's front end uses
    }
    assert not [name for name in schemas if name.endswith("_")]
    assert {"ApiKeysPublic", "RolesPublic", "OwnSessions"} <= schemas.keys()


def test_generated_clients_know_the_passwords_that_they_have_to_send() -> None:
    assert "writeOnly" not in str(DOCUMENT)
    assert "password" in DOCUMENT["components"]["schemas"]["UserCreate"]["required"]
